/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "glib.h"

int shim_n_tests;
const char *shim_skipped;
