/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the main window share: mien-window.c (panes, camera, network), mien-window-actions.c (what a person
 * asks for), mien-window-files.c (opening, dropping, pasting). */
#pragma once

#include "layers/mien-layers-pane.h"
#include "live/mien-live-pane.h"
#include "mien-window.h"
#include "photo/mien-photo-pane.h"

struct _MienWindow {
  AdwApplicationWindow parent_instance;

  /* template children */
  AdwToastOverlay *toasts;
  AdwViewStack *views;
  GtkWidget *header;
  GtkWidget *drop_hint;
  GtkStack *start;
  GtkWidget *run_button;
  GtkMenuButton *source_button;
  MienLivePane *live;
  MienPhotoPane *photo;
  MienLayersPane *layers;

  /* owned */
  GSettings *settings;
  MienAnalyzer *analyzer;
  MienCapture *capture;
  MienCameraList *cameras;
  MienModel *model;
  MienResult *photo_result; /* (nullable) the last one that was told */
  GMenu *source_menu;
  GCancellable *model_cancellable;
  GtkFileChooserNative *chooser;
  char *source;       /* as chosen; "": automatic */
  char *details;      /* the long text behind the newest toast */

  const char *view;   /* on show until now; static */
  gboolean started;   /* the capture was asked to run */
  guint wait_id;      /* waiting for the list of cameras */
};

/* mien-window.c */
void mien_window_choose_source (MienWindow *self, const char *source, gboolean keep);
void mien_window_update_capture (MienWindow *self);
void mien_window_restart_capture (MienWindow *self);
void mien_window_feed_layers (MienWindow *self);
void mien_window_toast (MienWindow *self, const char *text);

/* A toast with a button that shows details, a whole sentence. */
void mien_window_toast_failure (MienWindow *self, const char *text, const char *details);

/* mien-window-actions.c */
void mien_window_install_actions (MienWindowClass *klass);
void mien_window_add_actions (MienWindow *self);
void mien_window_set_action_state (MienWindow *self, const char *name, GVariant *state);

/* mien-window-files.c */
typedef enum { MIEN_OPEN_ANY, MIEN_OPEN_PHOTO, MIEN_OPEN_VIDEO, MIEN_OPEN_MODEL } MienOpenKind;
void mien_window_choose_files (MienWindow *self, MienOpenKind kind);
void mien_window_paste (MienWindow *self);
void mien_window_accept_drops (MienWindow *self);
