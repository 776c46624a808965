/* SPDX-License-Identifier: MIT
 * Which instruction sets are built in and which of them this CPU and operating system run. */
#ifndef CP_ISA_H
#define CP_ISA_H

#include "convpool.h"

#if defined(__x86_64__) || defined(_M_X64)
#define CP_BUILT_X64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define CP_BUILT_NEON 1
#endif

/* Bit i stands for the convpool_isa i. */
uint32_t cp_isa_built(void);
uint32_t cp_isa_available(void);
convpool_isa cp_isa_best(void);

#endif
