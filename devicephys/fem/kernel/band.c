/* LU factors of a band without pivoting. The entry of row i and column j is a[i * ld + j]. reach[k]
   is the last row and column that a pivot k touches; it grows with k, is the same for all pivots of a
   panel, and ends a panel, so that no loop has a remainder. Without pivoting an unlucky matrix gives
   useless factors, so a pivot that lost almost all of its digits, or is no number, ends the
   factorisation. */

#define PANEL 4

/* rows of U in a panel subtracted from two rows below it, from column `begin` on */
INLINED void update_two(double *restrict x, double *restrict y, const double *restrict u,
                        const double *restrict v, const double *restrict w,
                        const double *restrict t, const double *l, const double *m, long begin,
                        long end) {
  const double l0 = l[0], l1 = l[1], l2 = l[2], l3 = l[3];
  const double m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3];
  for (long j = begin; j < end; ++j) {
    x[j] -= (l0 * u[j] + l1 * v[j]) + (l2 * w[j] + l3 * t[j]);
    y[j] -= (m0 * u[j] + m1 * v[j]) + (m2 * w[j] + m3 * t[j]);
  }
}

/* factors of one row below a panel: the solution of l U = row, stored in the row */
INLINED void multipliers(double *row, const double *a, long ld, long k, const double *inverse,
                         double *l) {
  for (int p = 0; p < PANEL; ++p) {
    double sum = row[k + p];
    for (int q = 0; q < p; ++q) sum -= l[q] * a[(k + q) * ld + k + p];
    l[p] = row[k + p] = sum * inverse[p];
  }
}

/* Returns -1, or the row of the pivot that failed. n is a multiple of PANEL. */
VECTORISED int ddk_factorise(int n, double *a, long ld, const int *reach, double smallest,
                             double *inverse) {
  for (long i = 0; i < n; ++i) inverse[i] = fabs(a[i * ld + i]);
  for (long k = 0; k < n; k += PANEL) {
    const long end = reach[k] + 1;
    for (long p = k; p < k + PANEL; ++p) {
      double *row = a + p * ld;
      for (long q = k; q < p; ++q) {
        const double l = row[q] *= inverse[q];
        const double *u = a + q * ld;
        for (long j = q + 1; j < end; ++j) row[j] -= l * u[j];
      }
      const double pivot = row[p];
      /* of a NaN this is false */
      if (!(fabs(pivot) > smallest * inverse[p] && fabs(pivot) < INFINITY)) return (int)p;
      inverse[p] = 1.0 / pivot;
    }
    const double *u = a + k * ld, *v = u + ld, *w = v + ld, *t = w + ld;
    for (long i = k + PANEL; i < end; i += 2) {
      double l[PANEL], m[PANEL], *x = a + i * ld, *y = x + ld;
      multipliers(x, a, ld, k, inverse + k, l);
      multipliers(y, a, ld, k, inverse + k, m);
      update_two(x, y, u, v, w, t, l, m, k + PANEL, end);
    }
  }
  return -1;
}

INLINED double dot(const double *restrict x, const double *restrict y, long count) {
  double sum[8] = {0.0}, rest = 0.0;
  long j = 0;
  for (; j + 8 <= count; j += 8)
    for (int b = 0; b < 8; ++b) sum[b] += x[j + b] * y[j + b];
  for (; j < count; ++j) rest += x[j] * y[j];
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])) + rest;
}

/* Right-hand side in x, solution out; lead[i] is the first column of row i. */
VECTORISED void ddk_solve(int n, const double *a, long ld, const int *lead, const int *reach,
                          const double *inverse, double *x) {
  for (long i = 0; i < n; ++i) x[i] -= dot(a + i * ld + lead[i], x + lead[i], i - lead[i]);
  for (long i = n - 1; i >= 0; --i)
    x[i] = (x[i] - dot(a + i * ld + i + 1, x + i + 1, reach[i] - i)) * inverse[i];
}

/* Zeros where an entry or a factor may be. */
void ddk_clear(int n, double *a, long ld, const int *lead, const int *reach) {
  for (long i = 0; i < n; ++i)
    memset(a + i * ld + lead[i], 0, sizeof(double) * (size_t)(reach[i] - lead[i] + 1));
}

/* Rows of an identity. */
void ddk_identity(int count, const int *rows, double *a, long ld, const int *lead,
                  const int *reach) {
  for (int b = 0; b < count; ++b) {
    const long i = rows[b];
    memset(a + i * ld + lead[i], 0, sizeof(double) * (size_t)(reach[i] - lead[i] + 1));
    a[i * ld + i] = 1.0;
  }
}
