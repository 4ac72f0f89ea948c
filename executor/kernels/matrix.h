// A view of numbers in rows.
#pragma once

#include <cstddef>
#include <span>

namespace kiln::executor {

// Row-major and dense. The owner of `data` outlives the view.
struct MatrixView {
  const float* data = nullptr;
  size_t rows = 0;
  size_t columns = 0;

  std::span<const float> Row(size_t row) const { return {data + row * columns, columns}; }
  MatrixView Rows(size_t first, size_t count) const {
    return {data + first * columns, count, columns};
  }
};

}  // namespace kiln::executor
