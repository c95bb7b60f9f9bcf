#include <math.h>
#include <string.h>

/* wide instructions where the machine has them, chosen when the library is loaded */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define VECTORISED __attribute__((target_clones("fma", "default")))
#else
#define VECTORISED
#endif
#define INLINED static inline __attribute__((always_inline))

INLINED double larger(double a, double b) { return (a >= b || b != b) ? a : b; }
INLINED double smaller(double a, double b) { return (a <= b || b != b) ? a : b; }

/* residual and Jacobian of one cell: rows and columns V and T of each node, n last */
#define CELL_SIZE 9
/* of one face: rows n of both cells; columns V and T of each node, n of both cells */
#define FACE_SIZE 14

/* a cell or a face: its nodes and cells in the numbering of the solver, position of the lower end,
   sizes of a cell along r and z; of a face those of both cells across it, and its length; what these
   are divided by */
typedef struct {
  int node[6], cell[2];
  double r, z, size[2], length, inverse[3];
} element;

INLINED void cell_at(const ddk_grid *g, int i, int k, element *at) {
  const int line = g->nr + 1, first = k * line + i;
  at->node[0] = g->node[first];
  at->node[1] = g->node[first + 1];
  at->node[2] = g->node[first + line];
  at->node[3] = g->node[first + line + 1];
  at->cell[0] = g->cell[k * g->nr + i];
  at->r = g->r[i];
  at->z = g->z[k];
  at->size[0] = g->r[i + 1] - g->r[i];
  at->size[1] = g->z[k + 1] - g->z[k];
  for (int a = 0; a < 2; ++a) at->inverse[a] = 1.0 / at->size[a];
}

/* the face between cell (i, k) and the next one along an axis; r and z are those of its middle */
INLINED void face_at(const ddk_grid *g, int i, int k, int axis, element *at) {
  const int line = g->nr + 1, first = k * line + i;
  const int across = axis ? line : 1, along = axis ? 1 : line;
  for (int a = 0; a < 3; ++a) {
    at->node[2 * a] = g->node[first + a * across];
    at->node[2 * a + 1] = g->node[first + a * across + along];
  }
  at->cell[0] = g->cell[k * g->nr + i];
  at->cell[1] = axis ? g->cell[(k + 1) * g->nr + i] : g->cell[k * g->nr + i + 1];
  const double *x = axis ? g->z + k : g->r + i, *y = axis ? g->r + i : g->z + k;
  at->size[0] = x[1] - x[0];
  at->size[1] = x[2] - x[1];
  at->length = y[1] - y[0];
  for (int a = 0; a < 2; ++a) at->inverse[a] = 1.0 / at->size[a];
  at->inverse[2] = 1.0 / at->length;
  at->r = axis ? 0.5 * (y[0] + y[1]) : x[1];
  at->z = axis ? x[1] : 0.5 * (y[0] + y[1]);
}

/* value and derivatives on the unit square of the bilinear functions at the four Gauss points */
#define LOW 0.21132486540518711775
#define HIGH 0.78867513459481288225
static const double GAUSS[4][2] = {{LOW, LOW}, {HIGH, LOW}, {LOW, HIGH}, {HIGH, HIGH}};
#define LL (LOW * LOW)
#define LH (LOW * HIGH)
#define HH (HIGH * HIGH)
static const double VALUE[4][4] = {
    {HH, LH, LH, LL}, {LH, HH, LL, LH}, {LH, LL, HH, LH}, {LL, LH, LH, HH}};
static const double ALONG_R[4][4] = {{-HIGH, HIGH, -LOW, LOW},
                                     {-HIGH, HIGH, -LOW, LOW},
                                     {-LOW, LOW, -HIGH, HIGH},
                                     {-LOW, LOW, -HIGH, HIGH}};
static const double ALONG_Z[4][4] = {{-HIGH, -LOW, HIGH, LOW},
                                     {-LOW, -HIGH, LOW, HIGH},
                                     {-HIGH, -LOW, HIGH, LOW},
                                     {-LOW, -HIGH, LOW, HIGH}};
/* of a face's nodes at its middle: value, derivative across it in the + and the - cell, along it */
static const double AT_FACE[6] = {0.0, 0.0, 0.5, 0.5, 0.0, 0.0};
static const double ACROSS_PLUS[6] = {-0.5, -0.5, 0.5, 0.5, 0.0, 0.0};
static const double ACROSS_MINUS[6] = {0.0, 0.0, -0.5, -0.5, 0.5, 0.5};
static const double ALONG_FACE[6] = {0.0, 0.0, -1.0, 1.0, 0.0, 0.0};
