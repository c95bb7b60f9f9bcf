/* Loops over the cells and faces of a grid of rectangles, and what the equations are integrated with:
   two by two Gauss points in a cell, the middle of a face. Numbers of a cell's nodes: 0 and 1 below,
   2 and 3 above, each from the axis outwards. Numbers of a face's nodes: 0 and 1 of the far side of
   the + cell, 2 and 3 of the face, 4 and 5 of the far side of the - cell; + is the inner or lower
   cell. The fields of a node are V and T. */

/* Residual in the numbering of the solver: V and T of the nodes, n of the cells. */
void ddk_residual(const ddk_grid *numbers, double *out_u, double *out_n) {
  double c[CONSTANTS];
  ddk_grid with = *numbers, *g = &with;
  constants(g->p, c);
  g->c = c;
  const int nr = g->nr, nz = g->nz, nodes = (nr + 1) * (nz + 1), cells = nr * nz;
  for (int i = 0; i < 2 * nodes; ++i) out_u[i] = 0.0;
  for (int i = 0; i < cells; ++i) out_n[i] = 0.0;
  for (int k = 0; k < nz; ++k)
    for (int i = 0; i < nr; ++i) {
      element at;
      double b[CELL_SIZE] = {0.0};
      cell_at(g, i, k, &at);
      residual_cell(g->layer[k], g, &at, b);
      for (int a = 0; a < 4; ++a) {
        out_u[2 * at.node[a]] += b[2 * a];
        out_u[2 * at.node[a] + 1] += b[2 * a + 1];
      }
      out_n[at.cell[0]] += b[8];
    }
  for (int axis = 0; axis < 2; ++axis)
    for (int k = 0; k < nz - axis; ++k) {
      const int tag = (axis ? g->tag_z : g->tag_r)[k];
      for (int i = 0; tag && i < nr - 1 + axis; ++i) {
        element at;
        double b[2] = {0.0};
        face_at(g, i, k, axis, &at);
        residual_face(tag, axis, g, &at, b);
        out_n[at.cell[0]] += b[0];
        out_n[at.cell[1]] += b[1];
      }
    }
}

/* Jacobian, added to a band of which the entry of row i and column j is a[i * ld + j]; the rows of V
   and of n are those that row_u and row_n say, that of T follows that of V. With fields_only n is
   held, and its rows and columns have the diagonal alone. */
void ddk_jacobian(const ddk_grid *numbers, double *restrict a, long ld) {
  double c[CONSTANTS];
  ddk_grid with = *numbers, *g = &with;
  constants(g->p, c);
  g->c = c;
  const int nr = g->nr, nz = g->nz;
  for (int k = 0; k < nz; ++k)
    for (int i = 0; i < nr; ++i) {
      element at;
      double m[CELL_SIZE * CELL_SIZE] = {0.0};
      long row[CELL_SIZE];
      cell_at(g, i, k, &at);
      const int coupled = jacobian_cell(g->layer[k], g, &at, m) && !g->fields_only;
      for (int b = 0; b < 8; ++b) row[b] = g->row_u[at.node[b / 2]] + b % 2;
      row[8] = g->row_n[at.cell[0]];
      for (int b = 0; b < 8; ++b)
        for (int c = 0; c < 8; ++c) a[row[b] * ld + row[c]] += m[b * CELL_SIZE + c];
      for (int b = 0; coupled && b < 8; ++b) {
        a[row[b] * ld + row[8]] += m[b * CELL_SIZE + 8];
        a[row[8] * ld + row[b]] += m[8 * CELL_SIZE + b];
      }
      a[row[8] * ld + row[8]] += m[8 * CELL_SIZE + 8];
    }
  for (int axis = 0; axis < 2; ++axis)
    for (int k = 0; k < nz - axis; ++k) {
      const int tag = (axis ? g->tag_z : g->tag_r)[k];
      for (int i = 0; tag && i < nr - 1 + axis; ++i) {
        element at;
        double m[2 * FACE_SIZE] = {0.0};
        long column[FACE_SIZE];
        face_at(g, i, k, axis, &at);
        jacobian_face(tag, axis, g, &at, m);
        for (int c = 0; c < 12; ++c) column[c] = g->row_u[at.node[c / 2]] + c % 2;
        column[12] = g->row_n[at.cell[0]];
        column[13] = g->row_n[at.cell[1]];
        for (int b = 0; b < 2; ++b)
          for (int c = 0; c < FACE_SIZE; ++c)
            a[column[12 + b] * ld + column[c]] += m[b * FACE_SIZE + c];
      }
    }
}

/* Whether n and the other fields of a layer's cells depend on each other within the cell. */
int ddk_coupled(int layer) { return coupled_cell(layer); }
