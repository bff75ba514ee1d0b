/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/mien-model.h"

extern int fake_model_count;        /* alive */
extern int fake_predictor_count;    /* alive */
extern int fake_predictor_delay_us; /* every run takes so long */
extern int fake_predictor_fails;
extern int fake_predictor_runs;

MienModel *fake_model_new (void);
