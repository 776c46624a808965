# What the objects of the library may not hold: heap, threads, files, environment or inexact libm functions anywhere; AVX instructions
# in objects that run before the processor is known (all but those of the folders avx2 and avx512).
file(STRINGS ${OBJECTS} objects)
set(forbidden
  malloc calloc realloc reallocarray free aligned_alloc posix_memalign mmap munmap getenv abort exit
  pthread_[a-z_]+ thrd_[a-z_]+ mtx_[a-z_]+ fopen printf fprintf puts
  fma fmaf exp expf exp2f tanh tanhf pow powf)
list(JOIN forbidden "|" forbidden)

set(generic 0)
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} -u ${object} OUTPUT_VARIABLE undefined COMMAND_ERROR_IS_FATAL ANY)
  if(undefined MATCHES "[ \t]_?(${forbidden})(@[^\n]*)?\n")
    message(SEND_ERROR "${object} calls ${CMAKE_MATCH_1}")
  endif()
  if(object MATCHES "[/\\]avx(2|512)[/\\]")
    continue()
  endif()
  math(EXPR generic "${generic} + 1")
  execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${object} OUTPUT_VARIABLE code COMMAND_ERROR_IS_FATAL ANY)
  if(NOT code MATCHES "\n[ \t]*[0-9a-f]+:[ \t]+[a-z]")
    message(SEND_ERROR "${object} could not be disassembled")
  endif()
  if(code MATCHES "x86-64" AND code MATCHES "\n[^\n]*(:[ \t]+v[a-z]|%[yz]mm)[^\n]*")
    message(SEND_ERROR "${object} holds an AVX instruction:${CMAKE_MATCH_0}")
  endif()
endforeach()
if(generic LESS 2)
  message(FATAL_ERROR "Only ${generic} generic objects in ${OBJECTS}")
endif()
message(STATUS "${generic} generic objects examined")
