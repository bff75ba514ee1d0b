/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loads the module with OpenCV when the first detector is made; it stays. */
#include "mien-config.h"

#include "vision/mien-faces.h"

#include <dlfcn.h>
#include <glib/gi18n-lib.h>

#include "helper/mien-helper.h"
#include "vision/mien-faces-module.h"

static const char *const detector_names[] = { "haar", "lbp", NULL };
static const MienFacesModule *loaded; /* atomic */

G_DEFINE_QUARK (mien-faces-error-quark, mien_faces_error)

const char *const *
mien_faces_list_detectors (void)
{
  return detector_names;
}

/* Two threads at once get the same one: dlopen() counts. */
static const MienFacesModule *
load_module (GError **error)
{
  const MienFacesModule *module = g_atomic_pointer_get (&loaded);

  if (module == NULL) {
    g_autofree char *path = mien_helper_find ("vision/mien-faces-opencv.so");
    void *library = dlopen (path, RTLD_NOW | RTLD_LOCAL);

    module = library != NULL ? dlsym (library, MIEN_FACES_MODULE) : NULL;
    if (module == NULL) {
      g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR, _("The face detector cannot be loaded; install this program again (%s)."), dlerror ());
      return NULL;
    }
    g_atomic_pointer_set (&loaded, module);
  }
  return module;
}

MienFaces *
mien_faces_new (const char *detector, GError **error)
{
  const MienFacesModule *module = load_module (error);

  return module != NULL ? module->new_faces (detector, error) : NULL;
}

/* Who has a detector has the module. */
void
mien_faces_free (MienFaces *self)
{
  if (self != NULL)
    loaded->free_faces (self);
}

void
mien_faces_set_min_size (MienFaces *self, int pixels)
{
  loaded->set_min_size (self, pixels);
}

GArray *
mien_faces_detect (MienFaces *self, const MienImage *image, GError **error)
{
  return loaded->detect (self, image, error);
}

gboolean
mien_faces_follow (MienFaces *self, const MienImage *image, const MienBox *faces, int n, MienBox *found, GError **error)
{
  return loaded->follow (self, image, faces, n, found, error);
}
