/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution: gathering panels of pixels, packing weights, and the loops around the matrix tiles. */
#include "kernels/mien-conv.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
  CHUNK = 16, /* floats copied at once; panels and planes have this much room behind their end */
  ALIGN_FLOATS = 16,
  MAX_NR = MIEN_GEMM_MAX_NR,
};

static int
div_up (int a, int b)
{
  return (a + b - 1) / b;
}

static int
min_int (int a, int b)
{
  return a < b ? a : b;
}

static int
max_int (int a, int b)
{
  return a > b ? a : b;
}

static size_t
round_up (size_t n)
{
  return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

bool
mien_conv_shape_is_valid (const MienConvShape *self)
{
  return self->n >= 0 && self->c > 0 && self->h > 0 && self->w > 0 && self->k > 0 && self->p >= 0 && self->q >= 0 &&
         self->r > 0 && self->s > 0 && self->groups > 0 && self->c % self->groups == 0 && self->k % self->groups == 0 &&
         self->stride_h > 0 && self->stride_w > 0 && self->dilation_h > 0 && self->dilation_w > 0 && self->inflate_h > 0 &&
         self->inflate_w > 0;
}

MienConvShape
mien_conv_grad_x_shape (const MienConvShape *self)
{
  MienConvShape grad = *self;

  grad.c = self->k;
  grad.k = self->c;
  grad.h = self->p;
  grad.w = self->q;
  grad.p = self->h;
  grad.q = self->w;
  grad.stride_h = self->inflate_h;
  grad.stride_w = self->inflate_w;
  grad.inflate_h = self->stride_h;
  grad.inflate_w = self->stride_w;
  grad.pad_top = (self->r - 1) * self->dilation_h - self->pad_top;
  grad.pad_left = (self->s - 1) * self->dilation_w - self->pad_left;
  return grad;
}

/* A 1 x 1 convolution without stride or padding sees one long row of pixels. */
static MienConvShape
flatten_pixels (const MienConvShape *shape)
{
  MienConvShape flat = *shape;

  if (shape->r == 1 && shape->s == 1 && shape->stride_h == 1 && shape->stride_w == 1 && shape->pad_top == 0 &&
      shape->pad_left == 0 && shape->inflate_h == 1 && shape->inflate_w == 1 && shape->p == shape->h && shape->q == shape->w) {
    flat.w *= flat.h;
    flat.q = flat.w;
    flat.h = flat.p = 1;
  }
  return flat;
}

/* Packed weights */

size_t
mien_conv_packed_size (const MienGemmKernels *gemm, const MienConvShape *self)
{
  const int kg = self->k / self->groups, depth = self->c / self->groups * self->r * self->s;

  return (size_t) self->groups * div_up (kg, gemm->mr) * gemm->mr * depth;
}

static void
pack_weights (const MienGemmKernels *gemm, const MienConvShape *self, const float *w, bool transposed, float *packed)
{
  const int kg = self->k / self->groups, cg = self->c / self->groups, rs = self->r * self->s, mr = gemm->mr;

  for (int g = 0; g < self->groups; g++) {
    for (int k0 = 0; k0 < kg; k0 += mr) {
      for (int c = 0; c < cg; c++) {
        for (int t = 0; t < rs; t++) {
          for (int i = 0; i < mr; i++) {
            const int k = k0 + i;
            if (k >= kg)
              *packed++ = 0;
            else if (transposed)
              *packed++ = w[(((size_t) g * cg + c) * kg + k) * rs + (rs - 1 - t)];
            else
              *packed++ = w[(((size_t) g * kg + k) * cg + c) * rs + t];
          }
        }
      }
    }
  }
}

void
mien_conv_pack (const MienGemmKernels *gemm, const MienConvShape *self, const float *w, float *packed)
{
  pack_weights (gemm, self, w, false, packed);
}

void
mien_conv_pack_transposed (const MienGemmKernels *gemm, const MienConvShape *self, const float *w, float *packed)
{
  pack_weights (gemm, self, w, true, packed);
}

/* Panels of pixels */

typedef struct {
  int row;    /* of the plane, for r = 0 */
  int column; /* of the plane, for s = 0 */
  int n;      /* pixels */
} Segment;

/* The part of every channel that one panel of output pixels reads, as a plane with its padding. */
typedef struct {
  int height, width; /* of the plane, in inflated pixels */
  int top, left;     /* inflated input coordinates of its first pixel */
  int n_segments;
  Segment segments[MAX_NR];
} Window;

static void
look_through (const MienConvShape *shape, int first, int n, Window *window)
{
  const int p0 = first / shape->q, p1 = (first + n - 1) / shape->q;
  const int q0 = p0 == p1 ? first - p0 * shape->q : 0, q1 = p0 == p1 ? q0 + n - 1 : shape->q - 1;

  window->top = p0 * shape->stride_h - shape->pad_top;
  window->left = q0 * shape->stride_w - shape->pad_left;
  window->height = (p1 - p0) * shape->stride_h + (shape->r - 1) * shape->dilation_h + 1;
  window->width = (q1 - q0) * shape->stride_w + (shape->s - 1) * shape->dilation_w + 1;
  window->n_segments = 0;
  for (int i = first; i < first + n;) {
    const int p = i / shape->q, q = i - p * shape->q, len = min_int (shape->q - q, first + n - i);
    window->segments[window->n_segments++] =
      (Segment) { (p - p0) * shape->stride_h, (q - q0) * shape->stride_w, len };
    i += len;
  }
}

/* Most pixels a window can have, with room behind. */
static size_t
plane_size (const MienConvShape *shape, int nr)
{
  const int rows = shape->q >= nr ? 2 : min_int (shape->p, div_up (nr, shape->q) + 1);
  const size_t height = (size_t) (rows - 1) * shape->stride_h + (size_t) (shape->r - 1) * shape->dilation_h + 1;
  const size_t width = (size_t) (shape->q - 1) * shape->stride_w + (size_t) (shape->s - 1) * shape->dilation_w + 1;

  return round_up (height * width + CHUNK);
}

/* Copies what lies inside the channel x[H][W]; the rest of the plane has been zeroed before. */
static void
fill_plane (const MienConvShape *shape, const Window *window, const float *x, float *plane)
{
  const int ih = shape->inflate_h, iw = shape->inflate_w;
  const int h0 = max_int (0, div_up (window->top, ih)), h1 = min_int (shape->h - 1, (window->top + window->height - 1) / ih);
  const int w0 = max_int (0, div_up (window->left, iw)), w1 = min_int (shape->w - 1, (window->left + window->width - 1) / iw);

  if (window->top + window->height - 1 < 0 || window->left + window->width - 1 < 0)
    return;
  for (int h = h0; h <= h1; h++) {
    float *to = plane + (ptrdiff_t) (h * ih - window->top) * window->width - window->left;
    const float *from = x + (ptrdiff_t) h * shape->w;
    if (iw == 1) {
      if (w1 >= w0)
        memcpy (to + w0, from + w0, (w1 - w0 + 1) * sizeof *to);
    } else {
      for (int w = w0; w <= w1; w++)
        to[(ptrdiff_t) w * iw] = from[w];
    }
  }
}

/* One row of the panel: n values of the plane, step apart. May write up to CHUNK - 1 values too many. */
static inline void
gather (float *to, const float *from, int n, int step)
{
  if (step == 1) {
    for (int i = 0; i < n; i += CHUNK)
      memcpy (to + i, from + i, CHUNK * sizeof *to);
  } else {
    for (int i = 0; i < n; i++)
      to[i] = from[(ptrdiff_t) i * step];
  }
}

static float *
gather_channel (const MienConvShape *shape, const Window *window, const float *plane, int nr, float *panel)
{
  for (int r = 0; r < shape->r; r++) {
    for (int s = 0; s < shape->s; s++, panel += nr) {
      float *to = panel;
      for (int i = 0; i < window->n_segments; i++) {
        const Segment *segment = &window->segments[i];
        gather (to,
                plane + (ptrdiff_t) (segment->row + r * shape->dilation_h) * window->width + segment->column + s * shape->dilation_w,
                segment->n, shape->stride_w);
        to += segment->n;
      }
    }
  }
  return panel;
}

/* Forward */

typedef struct {
  const MienGemmKernels *gemm;
  MienConvShape shape;
  const float *x, *packed, *bias;
  float lo, hi;
  float *y;
  float *scratch;
  size_t scratch_step; /* floats a thread */
  int n_panels, n_tasks;
} Forward;

static int
channels_at_once (const MienConvShape *shape)
{
  return max_int (1, min_int (shape->c / shape->groups, MIEN_GEMM_KC / (shape->r * shape->s)));
}

static size_t
forward_step (const MienGemmKernels *gemm, const MienConvShape *shape)
{
  return plane_size (shape, gemm->nr) + round_up ((size_t) channels_at_once (shape) * shape->r * shape->s * gemm->nr + CHUNK);
}

size_t
mien_conv_scratch (const MienGemmKernels *gemm, const MienConvShape *self, int n_threads)
{
  const MienConvShape flat = flatten_pixels (self);

  return forward_step (gemm, &flat) * n_threads * sizeof (float);
}

static void
forward_panel (const Forward *job, int n, int g, int first, float *plane, float *panel)
{
  const MienConvShape *shape = &job->shape;
  const int cg = shape->c / shape->groups, kg = shape->k / shape->groups, rs = shape->r * shape->s;
  const int mr = job->gemm->mr, nr = job->gemm->nr, step = channels_at_once (shape);
  const int pixels = shape->p * shape->q, width = min_int (nr, pixels - first);
  const size_t plane_elems = (size_t) shape->h * shape->w;
  const float *x = job->x + ((size_t) n * shape->c + (size_t) g * cg) * plane_elems;
  const float *packed = job->packed + (size_t) g * div_up (kg, mr) * mr * cg * rs;
  float *y = job->y + ((size_t) n * shape->k + (size_t) g * kg) * pixels + first;
  Window window;

  look_through (shape, first, width, &window);
  memset (plane, 0, ((size_t) window.height * window.width + CHUNK) * sizeof *plane);
  if (width < nr)
    memset (panel, 0, (size_t) step * rs * nr * sizeof *panel);
  for (int c0 = 0; c0 < cg; c0 += step) {
    const int n_c = min_int (step, cg - c0), depth = n_c * rs;
    const bool last = c0 + n_c == cg;
    float *to = panel;
    for (int c = c0; c < c0 + n_c; c++) {
      fill_plane (shape, &window, x + c * plane_elems, plane);
      to = gather_channel (shape, &window, plane, nr, to);
    }
    for (int k = 0; k < kg; k += mr) {
      MienGemmTail tail = { .lo = -INFINITY, .hi = INFINITY, .accumulate = c0 > 0 };
      if (last) {
        tail.lo = job->lo;
        tail.hi = job->hi;
        tail.bias_row = job->bias != NULL ? job->bias + g * kg + k : NULL;
      }
      job->gemm->tile (min_int (mr, kg - k), width, depth, packed + ((size_t) k * cg + (size_t) c0 * mr) * rs, panel,
                       y + (size_t) k * pixels, pixels, &tail);
    }
  }
}

static void
forward_task (void *data, int task, int thread)
{
  const Forward *job = data;
  const MienConvShape *shape = &job->shape;
  const long units = (long) shape->n * shape->groups * job->n_panels;
  float *plane = job->scratch + job->scratch_step * thread, *panel = plane + plane_size (shape, job->gemm->nr);

  for (long unit = units * task / job->n_tasks; unit < units * (task + 1) / job->n_tasks; unit++) {
    const int image = (int) (unit / job->n_panels);
    forward_panel (job, image / shape->groups, image % shape->groups, (int) (unit % job->n_panels) * job->gemm->nr, plane, panel);
  }
}

void
mien_conv_f32 (const MienGemmKernels *gemm, const MienConvShape *self, const float *x, const float *packed, const float *bias,
               float lo, float hi, float *y, void *scratch, MienThreads *threads)
{
  Forward job = { gemm, flatten_pixels (self), x, packed, bias, lo, hi, y, scratch };
  const MienConvShape *shape = &job.shape;
  const double work = (double) shape->n * shape->k * shape->p * shape->q * (shape->c / shape->groups) * shape->r * shape->s;

  if (shape->p == 0 || shape->q == 0)
    return;
  job.scratch_step = forward_step (gemm, shape);
  job.n_panels = div_up (shape->p * shape->q, gemm->nr);
  /* Under a quarter of a million multiply-adds a second thread costs more than it gives. */
  job.n_tasks = work < 250e3 ? 1 : min_int (mien_threads_count (threads), shape->n * shape->groups * job.n_panels);
  mien_threads_run (threads, forward_task, &job, job.n_tasks);
}

/* Gradient by the weights: dw[c r s][k] = sum over pixels of x (in place, padded) times dy transposed, kept apart for every thread
 * and added up in the order of the threads. */

typedef struct {
  const MienGemmKernels *gemm;
  const MienConvShape *shape;
  const float *x, *dy;
  float *dw, *db;
  float *scratch;
  size_t step;       /* floats a thread */
  size_t sums, bias; /* offsets within a thread's scratch */
  size_t planes, dy_t;
  int height, width; /* of a padded plane */
  int kp;            /* K / groups rounded up to whole tiles */
  int n_tasks;
} GradW;

static void
lay_out_grad_w (const MienGemmKernels *gemm, const MienConvShape *shape, GradW *job)
{
  const int cg = shape->c / shape->groups, kg = shape->k / shape->groups, rs = shape->r * shape->s;

  job->gemm = gemm;
  job->shape = shape;
  job->kp = div_up (kg, gemm->rows_nr) * gemm->rows_nr;
  job->height = (shape->p - 1) * shape->stride_h + (shape->r - 1) * shape->dilation_h + 1;
  job->width = (shape->q - 1) * shape->stride_w + (shape->s - 1) * shape->dilation_w + 1;
  job->sums = 0;
  job->bias = round_up ((size_t) shape->groups * cg * rs * job->kp);
  job->planes = job->bias + round_up (shape->k);
  job->dy_t = job->planes + round_up ((size_t) cg * job->height * job->width);
  job->step = job->dy_t + round_up ((size_t) shape->p * shape->q * job->kp);
}

size_t
mien_conv_grad_w_scratch (const MienGemmKernels *gemm, const MienConvShape *self, int n_threads)
{
  const MienConvShape flat = flatten_pixels (self);
  GradW job;

  lay_out_grad_w (gemm, &flat, &job);
  return job.step * n_threads * sizeof (float);
}

/* dy[kg][pixels] to to[pixels][kp], in squares that stay in cache. */
static void
transpose (const float *dy, int kg, int kp, int pixels, float *to)
{
  enum { SIDE = 16 };

  for (int j0 = 0; j0 < pixels; j0 += SIDE) {
    const int j1 = min_int (pixels, j0 + SIDE);
    for (int k0 = 0; k0 < kg; k0 += SIDE) {
      const int k1 = min_int (kg, k0 + SIDE);
      for (int k = k0; k < k1; k++)
        for (int j = j0; j < j1; j++)
          to[(size_t) j * kp + k] = dy[(size_t) k * pixels + j];
    }
    for (int j = j0; kg < kp && j < j1; j++)
      memset (to + (size_t) j * kp + kg, 0, (kp - kg) * sizeof *to);
  }
}

static void
grad_w_image (const GradW *job, int n, int g, float *scratch)
{
  const MienConvShape *shape = job->shape;
  const int cg = shape->c / shape->groups, kg = shape->k / shape->groups, rs = shape->r * shape->s;
  const int pixels = shape->p * shape->q, mr = job->gemm->rows_mr, nr = job->gemm->rows_nr;
  const size_t plane_elems = (size_t) shape->h * shape->w, padded = (size_t) job->height * job->width;
  const Window window = { job->height, job->width, -shape->pad_top, -shape->pad_left };
  const float *dy = job->dy + ((size_t) n * shape->k + (size_t) g * kg) * pixels;
  float *planes = scratch + job->planes, *dy_t = scratch + job->dy_t, *bias = scratch + job->bias + g * kg;
  float *sums = scratch + job->sums + (size_t) g * cg * rs * job->kp;

  for (int c = 0; c < cg; c++)
    fill_plane (shape, &window, job->x + ((size_t) n * shape->c + (size_t) g * cg + c) * plane_elems, planes + c * padded);
  transpose (dy, kg, job->kp, pixels, dy_t);
  for (int k = 0; job->db != NULL && k < kg; k++) {
    float sum = 0;
    for (int j = 0; j < pixels; j++)
      sum += dy[(size_t) k * pixels + j];
    bias[k] += sum;
  }
  for (int i = 0; i < cg * rs; i += mr) {
    const int m = min_int (mr, cg * rs - i);
    const float *rows[MIEN_GEMM_MAX_MR];
    for (int j = 0; j < m; j++) {
      const int c = (i + j) / rs, t = (i + j) % rs;
      rows[j] = planes + c * padded + (size_t) (t / shape->s) * shape->dilation_h * job->width + (t % shape->s) * shape->dilation_w;
    }
    for (int k = 0; k < kg; k += nr)
      job->gemm->rows (m, min_int (nr, kg - k), shape->p, shape->q, rows, (ptrdiff_t) shape->stride_h * job->width, shape->stride_w,
                       dy_t + k, job->kp, sums + (size_t) i * job->kp + k, job->kp);
  }
}

static void
grad_w_task (void *data, int task, int thread)
{
  GradW *job = data;
  float *scratch = job->scratch + job->step * task;

  memset (scratch, 0, job->dy_t * sizeof *scratch); /* sums, biases and the planes' borders */
  for (int n = (int) ((long) job->shape->n * task / job->n_tasks); n < (int) ((long) job->shape->n * (task + 1) / job->n_tasks); n++)
    for (int g = 0; g < job->shape->groups; g++)
      grad_w_image (job, n, g, scratch);
}

void
mien_conv_grad_w_f32 (const MienGemmKernels *gemm, const MienConvShape *self, const float *x, const float *dy, float *dw, float *db,
                      void *scratch, MienThreads *threads)
{
  const MienConvShape flat = flatten_pixels (self);
  const int cg = self->c / self->groups, kg = self->k / self->groups, rs = self->r * self->s;
  GradW job = { .x = x, .dy = dy, .dw = dw, .db = db, .scratch = scratch };

  lay_out_grad_w (gemm, &flat, &job);
  job.n_tasks = max_int (1, min_int (mien_threads_count (threads), self->n));
  mien_threads_run (threads, grad_w_task, &job, job.n_tasks);
  for (int task = 1; task < job.n_tasks; task++)
    for (size_t i = 0; i < job.planes; i++)
      job.scratch[i] += job.scratch[task * job.step + i];
  for (int g = 0; g < self->groups; g++)
    for (int k = 0; k < kg; k++)
      for (int i = 0; i < cg * rs; i++)
        dw[((size_t) g * kg + k) * cg * rs + i] = job.scratch[job.sums + ((size_t) g * cg * rs + i) * job.kp + k];
  if (db != NULL)
    memcpy (db, job.scratch + job.bias, self->k * sizeof *db);
}
