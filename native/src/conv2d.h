/* SPDX-License-Identifier: MIT
 * What a run of a convolution is given, whichever algorithm executes it. */
#ifndef CP_CONV2D_H
#define CP_CONV2D_H

#include "kernels.h"

typedef struct cp_conv2d_run {
    const cp_kernels *kernels;
    const convpool_conv2d_desc *desc;
    cp_activation activation;
    cp_tensor src, dst, residual; /* residual.data is NULL if there is none */
    char *workspace;
    bool stream; /* dst is too large to stay in the caches */
} cp_conv2d_run;

#endif
