// The resampler's inner loops over vectors. Included once for each width, inside a namespace where
// Vector says what a vector is and TARGET what processor it needs: hence no include guard. It is
// no template over Vector, because compilers inline nothing into functions of a lesser target.

// kFrames frames of kChannels channels share the loads of the coefficients, which for many phases
// come from the second cache; their sums, a chain each, keep the multipliers busy. One chain a
// frame whatever kFrames is: the order of summation, hence the bits, are the same.
template <size_t kFrames, size_t kChannels>
TARGET INLINED void filter_group(const float* row, const float* x, const BankJob& job,
                                 float* out) noexcept {
  constexpr size_t kSums = kFrames * kChannels;
  constexpr size_t kRoom = (kSums + Vector::kBatch - 1) / Vector::kBatch * Vector::kBatch;
  Vector::Type sums[kRoom];
#pragma GCC unroll 8
  for (size_t n = 0; n < kRoom; ++n) sums[n] = Vector::all(0);
  for (size_t k = 0; k < job.width; k += Vector::kLanes) {
    const Vector::Type c = Vector::load(row + k);
#pragma GCC unroll 8
    for (size_t n = 0; n < kSums; ++n) {
      const float* at = x + n / kChannels * job.period + n % kChannels * job.stride + k;
      sums[n] = Vector::fma(c, Vector::load(at), sums[n]);
    }
  }
  float made[kRoom];
#pragma GCC unroll 8
  for (size_t n = 0; n < kRoom; n += Vector::kBatch) Vector::sum(sums + n, made + n);
#pragma GCC unroll 8
  for (size_t n = 0; n < kSums; ++n) {
    out[n / kChannels * job.row_count * job.channels + n % kChannels] = made[n];
  }
}

template <size_t kFrames, size_t kChannels>
TARGET INLINED void filter_rest(size_t frames, const float* row, const float* x, const BankJob& job,
                                float* out) noexcept {
  if constexpr (kFrames > 0) {
    if (frames == kFrames) return filter_group<kFrames, kChannels>(row, x, job, out);
    filter_rest<kFrames - 1, kChannels>(frames, row, x, job, out);
  }
}

template <size_t kChannels>
TARGET INLINED void filter_row(const float* row, const float* x, const BankJob& job, size_t frames,
                               float* out) noexcept {
  constexpr size_t kMost = 8 / kChannels;
  for (; frames >= kMost; frames -= kMost) {
    filter_group<kMost, kChannels>(row, x, job, out);
    x += kMost * job.period;
    out += kMost * job.row_count * job.channels;
  }
  filter_rest<kMost - 1, kChannels>(frames, row, x, job, out);
}

TARGET void filter_bank(const BankJob& job) noexcept {
  ResamplerPosition at = job.position;
  size_t row = job.row;
  const size_t first_frames = std::min(job.frames, job.row_count);
  // Frames of this row, until the last turn ends.
  size_t same = (job.frames + job.row_count - 1) / job.row_count;
  const size_t last_turn = job.frames - (same - 1) * job.row_count;
  for (size_t frame = 0; frame < first_frames; ++frame) {
    if (frame == last_turn) --same;
    const float* coefficients = job.rows + row * job.width;
    const float* x = job.planes + (at.frame & ~(job.align - 1));
    float* out = job.out + frame * job.channels;
    size_t channel = 0;
    for (; channel + 2 <= job.channels; channel += 2, x += 2 * job.stride) {
      filter_row<2>(coefficients, x, job, same, out + channel);
    }
    if (channel < job.channels) filter_row<1>(coefficients, x, job, same, out + channel);
    at.step();
    if (++row == job.row_count) row = 0;
  }
}

TARGET INLINED Vector::Type between(const float* row, size_t width, Vector::Type t) noexcept {
  const Vector::Type a = Vector::load(row), b = Vector::load(row + width);
  const Vector::Type c = Vector::load(row + 2 * width), d = Vector::load(row + 3 * width);
  return Vector::fma(Vector::fma(Vector::fma(d, t, c), t, b), t, a);
}

// kFrames frames of kChannels channels, whose coefficients never go through memory.
template <size_t kFrames, size_t kChannels>
TARGET INLINED void between_group(const float* row, const float* t, size_t width,
                                  const BetweenJob& job, size_t first) noexcept {
  constexpr size_t kSums = kFrames * kChannels;
  constexpr size_t kRoom = (kSums + Vector::kBatch - 1) / Vector::kBatch * Vector::kBatch;
  Vector::Type at[kFrames], sums[kRoom];
#pragma GCC unroll 8
  for (size_t n = 0; n < kFrames; ++n) at[n] = Vector::all(t[first + n]);
#pragma GCC unroll 8
  for (size_t n = 0; n < kRoom; ++n) sums[n] = Vector::all(0);
  for (size_t k = 0; k < width; k += Vector::kLanes) {
#pragma GCC unroll 8
    for (size_t n = 0; n < kFrames; ++n) {
      const Vector::Type value = between(row + k, width, at[n]);
      const float* x = job.planes + (first + n) * job.frame_step + k;
#pragma GCC unroll 8
      for (size_t channel = 0; channel < kChannels; ++channel) {
        Vector::Type& sum = sums[n * kChannels + channel];
        sum = Vector::fma(value, Vector::load(x + channel * job.stride), sum);
      }
    }
  }
  float made[kRoom];
#pragma GCC unroll 8
  for (size_t n = 0; n < kRoom; n += Vector::kBatch) Vector::sum(sums + n, made + n);
  std::memcpy(job.out + first * kChannels, made, kSums * sizeof(float));
}

template <size_t kFrames, size_t kChannels>
TARGET INLINED void between_groups(const float* row, const float* t, size_t width,
                                   const BetweenJob& job, size_t first) noexcept {
  for (; first + kFrames <= job.frames; first += kFrames) {
    between_group<kFrames, kChannels>(row, t, width, job, first);
  }
  if constexpr (kFrames > 1) between_groups<kFrames / 2, kChannels>(row, t, width, job, first);
}

TARGET void filter_between(const float* row, const float* t, size_t width, const BetweenJob& job,
                           float* scratch) noexcept {
  constexpr size_t kFrames = Vector::kLanes / 4;  // as there are registers for
  if (job.channels == 1) return between_groups<kFrames, 1>(row, t, width, job, 0);
  if (job.channels == 2) return between_groups<kFrames, 2>(row, t, width, job, 0);
  // The coefficients once, for all channels.
  for (size_t n = 0; n < job.frames; ++n) {
    const Vector::Type at = Vector::all(t[n]);
    for (size_t k = 0; k < width; k += Vector::kLanes) {
      Vector::store(between(row + k, width, at), scratch + k);
    }
    filter_bank({scratch, width, 1, 0, job.planes + n * job.frame_step, job.stride, job.channels,
                 ResamplerPosition{}, 1, 0, 1, job.out + n * job.channels});
  }
}

template <size_t kVectors>
TARGET INLINED void convolve_group(const SymmetricalFilter& filter, const float* in,
                                   const float* middle_in, float* out) noexcept {
  Vector::Type sums[kVectors];
#pragma GCC unroll 8
  for (size_t n = 0; n < kVectors; ++n) sums[n] = Vector::all(0);
  const float* x = in;
  const float* y = in + (2 * filter.side - 1) * filter.spacing;
  for (size_t k = 0; k < filter.side; ++k, x += filter.spacing, y -= filter.spacing) {
    const Vector::Type tap = Vector::all(filter.taps[k]);
#pragma GCC unroll 8
    for (size_t n = 0; n < kVectors; ++n) {
      const size_t at = n * Vector::kLanes;
      sums[n] = Vector::fma(tap, Vector::add(Vector::load(x + at), Vector::load(y + at)), sums[n]);
    }
  }
  const Vector::Type middle = Vector::all(filter.middle);
#pragma GCC unroll 8
  for (size_t n = 0; n < kVectors; ++n) {
    const size_t at = n * Vector::kLanes;
    Vector::store(Vector::fma(middle, Vector::load(middle_in + at), sums[n]), out + at);
  }
}

TARGET void convolve(const SymmetricalFilter& filter, const float* in, const float* middle_in,
                     float* out, size_t count) noexcept {
  constexpr size_t kLong = 8 * Vector::kLanes, kShort = 2 * Vector::kLanes;
  static_assert(kShort <= kConvolveSlack, "that much is written beyond the end");
  size_t i = 0;
  for (; i + kLong <= count; i += kLong) {
    convolve_group<8>(filter, in + i, middle_in + i, out + i);
  }
  for (; i < count; i += kShort) convolve_group<2>(filter, in + i, middle_in + i, out + i);
}

constexpr ResamplerKernel kKernel{&filter_bank, &filter_between, &convolve};
