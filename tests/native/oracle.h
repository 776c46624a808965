/* SPDX-License-Identifier: MIT
 *
 * The right answers: docs/numerics.md in plain loops, over descriptors and arguments of the C ABI. Written from the documents alone
 * and sharing nothing with the library, so that a comparison means something. Workspace and task range are ignored: a call does all
 * images.
 */
#ifndef CONVPOOL_TESTS_ORACLE_H
#define CONVPOOL_TESTS_ORACLE_H

#include "convpool.h"

/** a * b + c, rounded once. */
float oracle_fma(float a, float b, float c);

convpool_strides oracle_dense_strides(convpool_layout layout, int64_t channels, int64_t height, int64_t width);

/** Offset of an element, in elements. */
int64_t oracle_offset(convpool_layout layout, const convpool_strides *strides, int64_t n, int64_t c, int64_t y, int64_t x);

void oracle_conv2d_output_size(const convpool_conv2d_desc *desc, int64_t *oh, int64_t *ow);

/** The pooled size; with direction TRANSPOSED that is the size of src. */
void oracle_pool2d_output_size(const convpool_pool2d_desc *desc, int64_t *oh, int64_t *ow);

float oracle_activation(const convpool_conv2d_desc *desc, float x);

/** `weights` is dense OIHW, `bias` may be NULL. By Winograd's algorithm or along rows and columns where
 * desc->algorithm says so, directly otherwise. */
void oracle_conv2d(const convpool_conv2d_desc *desc, const float *weights, const float *bias, const convpool_conv2d_args *args);

void oracle_pool2d(const convpool_pool2d_desc *desc, const convpool_pool2d_args *args);

#endif
