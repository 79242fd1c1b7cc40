/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that invite mistakes, poisoned so that the compiler refuses them.
 * Forced into every file by the Makefile (-include), after the system headers
 * that declare them.
 */
#ifndef CBUILD_BASE_BANNED_H
#define CBUILD_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atof localtime  \
    gmtime ctime asctime system tmpnam mktemp

#endif
