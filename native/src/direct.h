/* SPDX-License-Identifier: MIT
 * Direct convolution: every product of the definition, in the documented order. */
#ifndef CP_DIRECT_H
#define CP_DIRECT_H

#include "conv2d.h"

typedef enum cp_direct_kernel {
    /* CONVPOOL_ALGORITHM_DIRECT_CHANNELS */
    CP_DIRECT_CHANNELS,  /* conv2d_pack, conv2d_tiles, conv2d_finish */
    CP_DIRECT_POINTWISE, /* conv2d_pointwise */
    CP_DIRECT_GROUPS,    /* conv2d_pack, conv2d_groups */
    CP_DIRECT_DEPTHWISE, /* conv2d_depthwise, conv2d_depthwise_pixels */
    /* CONVPOOL_ALGORITHM_DIRECT_WIDTH */
    CP_DIRECT_PLANES,  /* conv2d_depthwise_width */
    CP_DIRECT_PATCHES, /* conv2d_patches: all pixels as one row */
    CP_DIRECT_IMAGE,   /* conv2d_image */
    CP_DIRECT_WIDTH,   /* conv2d_width */
    /* CONVPOOL_ALGORITHM_SEPARABLE */
    CP_DIRECT_SEPARABLE /* conv2d_image */
} cp_direct_kernel;

/* A plan for one image size. A task is a rectangle of pixels of one image and group and a share of the group's output channels. */
typedef struct cp_direct {
    const convpool_conv2d_desc *desc; /* of the layer's plan */
    cp_direct_kernel kernel;
    convpool_algorithm algorithm;
    int64_t oh, ow;
    int64_t group_in, group_out, products; /* of a group; taps x group_in */
    int64_t groups;                        /* of which each has tasks of its own */
    int64_t rows_a_task, columns_a_task;
    int64_t row_tasks, column_tasks, panel_tasks;
    int64_t row_phases;            /* rows of a task lie this far apart */
    int64_t panels, panels_a_task; /* of 16 output channels, of a group: lanes along the channels */
    int64_t channels_a_task;       /* output channels: lanes along the width */
    int64_t channels_a_pass;       /* input channels that are multiplied at once: conv2d_tiles */
    int64_t channels_packed;       /* and packed at once: as many, or all */
    bool clip_rows, clip_columns;  /* leave out taps in the padding above and below, left and right: conv2d_tiles */
    double clipped;                /* the share of their time that products take then */
    int64_t rows_at_once;          /* conv2d_depthwise */
    int64_t weights_bytes, bias_bytes, workspace_bytes;
    int64_t tasks;        /* of an image */
    double cost;          /* of an image, in pairs of vector FMAs */
    bool flat;            /* one tap, no strides, no padding: conv2d_patches takes all rows as one */
    bool clip_taps;       /* padded taps must be skipped, because a weight times zero might be NaN */
    const float *weights; /* lanes along the channels: [group][panel][block][kh][kw][channel][16]; else [out_channels][products], or
                             for conv2d_patches [part of the output channels of a task][product][channel] */
    const float *bias;    /* [group][panel][16], or [out_channels] */
} cp_direct;

/* Fills in all but the weights, for the algorithm that `desc` forces or the faster one. */
convpool_status cp_direct_plan(cp_direct *p, const convpool_conv2d_desc *desc, int64_t oh, int64_t ow);
/* The same for CONVPOOL_ALGORITHM_SEPARABLE; false if the shape does not suit, or if it is not forced and not faster than `direct`.
 */
bool cp_direct_plan_separable(cp_direct *p, const cp_direct *direct);
/* Whether the kernel of each channel is the product of a column and a row, as docs/numerics.md has it. */
bool cp_direct_separates(const convpool_conv2d_desc *desc, const float *weights);
/* Copies the weights into `memory` of weights_bytes + bias_bytes. */
void cp_direct_pack(cp_direct *p, const cp_kernels *kernels, const float *weights, const float *bias, void *memory);
/* Executes tasks [begin, end). */
void cp_direct_execute(const cp_direct *p, const cp_conv2d_run *run, int64_t begin, int64_t end);

#endif
