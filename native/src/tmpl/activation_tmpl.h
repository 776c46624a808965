/* SPDX-License-Identifier: MIT
 * Activations as docs/numerics.md states them, on one vector. */

/* exp(x) after Cephes (S. Moshier), x clipped so that the result is normal. */
static CP_INLINE v8 v8_exp(v8 x) {
    const v8 lo = v8_set1(-87.33654f), hi = v8_set1(88.37626f), shift = v8_set1(12582912.0f);
    x = v8_if_less(x, lo, lo, x);
    x = v8_if_less(hi, x, hi, x);
    const v8 t = v8_fma(x, v8_set1(1.44269504f), shift);
    const v8 n = v8_sub(t, shift);
    v8 r = v8_fma(n, v8_set1(-0.693359375f), x);
    r = v8_fma(n, v8_set1(2.12194440e-4f), r);
    v8 p = v8_set1(1.9875691500e-4f);
    p = v8_fma(p, r, v8_set1(1.3981999507e-3f));
    p = v8_fma(p, r, v8_set1(8.3334519073e-3f));
    p = v8_fma(p, r, v8_set1(4.1665795894e-2f));
    p = v8_fma(p, r, v8_set1(1.6666665459e-1f));
    p = v8_fma(p, r, v8_set1(5.0000001201e-1f));
    const v8 e = v8_add(v8_fma(p, v8_mul(r, r), r), v8_set1(1.0f));
    return v8_mul(e, v8_pow2_of_biased(t));
}

/* 1 + exp(-x) */
static CP_INLINE v8 v8_logistic_denominator(v8 x) { return v8_add(v8_set1(1.0f), v8_exp(v8_mul(x, v8_set1(-1.0f)))); }

static CP_INLINE v8 v8_tanh(v8 x) {
    const v8 size = v8_abs(x), one = v8_set1(1.0f);
    const v8 t = v8_exp(v8_mul(size, v8_set1(-2.0f)));
    const v8 large = v8_copysign(v8_div(v8_sub(one, t), v8_add(one, t)), x);
    const v8 z = v8_mul(x, x);
    v8 q = v8_set1(-5.70498872745e-3f);
    q = v8_fma(q, z, v8_set1(2.06390887954e-2f));
    q = v8_fma(q, z, v8_set1(-5.37397155531e-2f));
    q = v8_fma(q, z, v8_set1(1.33314422036e-1f));
    q = v8_fma(q, z, v8_set1(-3.33332819422e-1f));
    return v8_if_less(size, v8_set1(0.625f), v8_fma(v8_mul(q, z), x, x), large);
}

/* Out of line: these cost far more than a call, and callers keep their registers. */
static CP_NOINLINE v8 v8_activate_curve(v8 x, const cp_activation *activation) {
    switch (activation->kind) {
    case CONVPOOL_ACTIVATION_LEAKY_RELU:
        return v8_if_less(x, v8_zero(), v8_mul(v8_set1(activation->lo), x), x);
    case CONVPOOL_ACTIVATION_HARD_SWISH: {
        const v8 gate = v8_clip(v8_add(x, v8_set1(3.0f)), v8_zero(), v8_set1(6.0f));
        return v8_div(v8_mul(x, gate), v8_set1(6.0f));
    }
    case CONVPOOL_ACTIVATION_SIGMOID:
        return v8_div(v8_set1(1.0f), v8_logistic_denominator(x));
    case CONVPOOL_ACTIVATION_SILU:
        return v8_div(x, v8_logistic_denominator(x));
    case CONVPOOL_ACTIVATION_TANH:
        return v8_tanh(x);
    default: { /* GELU_TANH */
        const v8 cube = v8_fma(v8_mul(v8_set1(0.044715f), x), v8_mul(x, x), x);
        const v8 u = v8_mul(v8_set1(0.7978845608f), cube);
        return v8_mul(v8_mul(v8_set1(0.5f), x), v8_add(v8_set1(1.0f), v8_tanh(u)));
    }
    }
}

static CP_INLINE v8 v8_activate(v8 x, const cp_activation *activation) {
    if (activation->kind == CONVPOOL_ACTIVATION_CLIP) return v8_clip(x, v8_set1(activation->lo), v8_set1(activation->hi));
    return v8_activate_curve(x, activation);
}
