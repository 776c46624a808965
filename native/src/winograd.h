/* SPDX-License-Identifier: MIT
 * Winograd convolution: 3x3 and 5x5 kernels with stride 1, dilated or not, and 3x3 and 7x7 with stride 2, in fewer multiplications
 * (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016; points after Barabasz et al., Error Analysis and
 * Improving the Accuracy of Winograd Convolution, 2020; stride 2 after Yepez and Ko, Stride 2 1-D, 2-D, and 3-D Winograd for
 * Convolutional Neural Networks, 2020). */
#ifndef CP_WINOGRAD_H
#define CP_WINOGRAD_H

#include "conv2d.h"

/* A plan for one image size. A task takes an area, some tiles of one image and group that follow each other row by row, to a share
 * of the group's output channels. */
typedef struct cp_winograd {
    const struct cp_winograd_transforms *transforms;
    int64_t tile;                      /* outputs of a tile a side: 2 or 4 */
    int64_t step, side;                /* input pixels a side from a tile to the next, and that a tile reads */
    int64_t taps;                      /* of the kernel */
    int64_t points;                    /* side^2: products for each input and output channel */
    int64_t sums;                      /* a side: what the products of a tile are added up to */
    int64_t pitch;                     /* floats from one pixel that is packed to the next, and from one transformed tile */
    int64_t row_phases, dilation;      /* outputs that share input pixels are so many rows and columns apart */
    int64_t phase_rows;                /* of tiles: those of a phase follow each other */
    int64_t tile_rows, tile_columns;   /* of an image; columns of all phases, side by side */
    int64_t unit;                      /* areas begin at multiples of so many tiles */
    int64_t areas_a_group, area_tiles; /* of an image, and the most tiles of one */
    int64_t group_in, group_out;
    int64_t panels, panels_a_task, panel_tasks; /* of 16 output channels, of a group */
    int64_t v_point, m_point;                   /* floats from one point to the next */
    int64_t x_bytes, v_bytes, m_bytes;          /* parts of the workspace; the rest is the accumulators */
    int64_t weights_bytes, bias_bytes, workspace_bytes;
    int64_t areas;     /* of an image */
    int64_t tasks;     /* areas x panel_tasks */
    bool shares_first; /* consecutive tasks are areas of one share of the output channels, not shares of one area */
    double error_bound;
    double cost;          /* of an image, in pairs of vector FMAs */
    const float *weights; /* [group][panel][point][channel][16] */
    const float *bias;    /* [group][panel][16] */
} cp_winograd;

/* Fills in all but the weights; false if the algorithm cannot serve this layer. */
bool cp_winograd_plan(cp_winograd *w, const convpool_conv2d_desc *desc, int64_t oh, int64_t ow, int64_t tile);
/* Whether the transformed weights and their products with padding are sure to be finite. */
bool cp_winograd_suits(const float *weights, int64_t count);
/* Transforms the weights into `memory` of weights_bytes + bias_bytes. */
void cp_winograd_pack(cp_winograd *w, const cp_kernels *kernels, const convpool_conv2d_desc *desc, const float *weights,
                      const float *bias, void *memory);
/* Executes tasks [begin, end). */
void cp_winograd_execute(const cp_winograd *w, const cp_conv2d_run *run, int64_t begin, int64_t end);

#endif
