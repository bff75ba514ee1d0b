/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the worker and the analysis of photos share. */
#pragma once

#include "kernels/mien-cpu.h"
#include "stream/mien-analyzer.h"

/* Crops and classifies the faces of result, whose boxes are set; fills in pixels, probabilities, label, confidence. */
gboolean mien_analyze_faces (MienResult *result, const MienImage *image, MienPredictor *predictor, float margin, GError **error);

/* label and confidence from probabilities. */
void mien_face_decide (MienFace *face, int n_labels);
