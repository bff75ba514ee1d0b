/* SPDX-License-Identifier: GPL-3.0-or-later */
/* To go on with a network that was trained before, of which only the model is left: its normalisation is folded into its layers. What a layer gives
 * is w x + b then. As weights under normalisation each filter gets the length that random ones have (He et al. 2015: the square root of 2), since
 * only its direction counts, and scale and shift are chosen for the mean and variance that the training pictures give there, so that the
 * network gives what the model gives. The model may be of another architecture: layers that it has not, or of another size, stay random.
 *
 * Thread   the caller's, with the settler's pool */
#pragma once

#include "model/mien-model.h"
#include "train/mien-settle.h"

G_BEGIN_DECLS

/* net: a network for use, which settle was made for the architecture of. Errors: MIEN_TRAIN_ERROR_RECIPE when less than
 * half of the layers fit. */
gboolean mien_start (MienNet *net, const MienModel *model, MienSettle *settle, GError **error);

G_END_DECLS
