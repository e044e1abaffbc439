// The resampler's inner loops over vectors. This file is included once for each width, inside a
// namespace that defines Vector and TARGET (the processor it needs); hence it has no include guard.
// It is not a template over Vector, because compilers inline nothing into functions of a lesser
// target.

// Makes kTurns turns of kChannels channels, with Vector::kTogether vectors of lanes. The sums run
// from both ends to the middle, one for each half, so that the largest products are added last and
// rounding errors stay small. The order, and hence the bits, do not depend on what is made
// together.
template <size_t kTurns, size_t kChannels>
TARGET INLINED void filter_turns(const BankJob& job, const float* in, float* out,
                                 size_t lane) noexcept {
  constexpr size_t kTogether = Vector::kTogether, kStreams = kTurns * kChannels;
  constexpr size_t kMade = kTogether * Vector::kLanes;
  Vector::Type front[kStreams * kTogether], back[kStreams * kTogether];
#pragma GCC unroll 16
  for (size_t n = 0; n < kStreams * kTogether; ++n) front[n] = back[n] = Vector::all(0);
  const float* row = job.rows + lane;
  const float* last_row = row + (job.width - 1) * kResamplerLanes;
  const float* x = in;
  const float* last_x = in + (job.width - 1) * job.channels;
  for (; row < last_row; row += kResamplerLanes, last_row -= kResamplerLanes) {
    Vector::Type c[kTogether], last_c[kTogether];
#pragma GCC unroll 2
    for (size_t v = 0; v < kTogether; ++v) {
      c[v] = Vector::keep(Vector::load(row + v * Vector::kLanes));
      last_c[v] = Vector::keep(Vector::load(last_row + v * Vector::kLanes));
    }
#pragma GCC unroll 8
    for (size_t n = 0; n < kStreams; ++n) {
      const size_t at = n / kChannels * job.in_step + n % kChannels;
      const Vector::Type value = Vector::all(x[at]), last_value = Vector::all(last_x[at]);
#pragma GCC unroll 2
      for (size_t v = 0; v < kTogether; ++v) {
        Vector::Type& sum = front[n * kTogether + v];
        Vector::Type& last_sum = back[n * kTogether + v];
        sum = Vector::fma(c[v], value, sum);
        last_sum = Vector::fma(last_c[v], last_value, last_sum);
      }
    }
    x += job.channels;
    last_x -= job.channels;
  }
#pragma GCC unroll 16
  for (size_t n = 0; n < kStreams * kTogether; ++n) front[n] = Vector::add(front[n], back[n]);
  const size_t from = std::max(job.first, lane);
  const size_t to = std::min(job.first + job.count, lane + kMade);
  if constexpr (kChannels == 2) {
    if (job.channels == 2 && to - from == kMade) {
#pragma GCC unroll 8
      for (size_t n = 0; n < kTurns * kTogether; ++n) {
        const size_t turn = n / kTogether, v = n % kTogether;
        const size_t left = 2 * turn * kTogether + v;
        Vector::store_pairs(
            front[left], front[left + kTogether],
            out + turn * job.out_step + 2 * (from - job.first + v * Vector::kLanes));
      }
      return;
    }
  }
  float made[kStreams][kMade];
#pragma GCC unroll 16
  for (size_t n = 0; n < kStreams * kTogether; ++n) {
    Vector::store(front[n], made[n / kTogether] + n % kTogether * Vector::kLanes);
  }
  for (size_t n = 0; n < kStreams; ++n) {
    float* at = out + n / kChannels * job.out_step + n % kChannels;
    for (size_t l = from; l < to; ++l) at[(l - job.first) * job.channels] = made[n][l - lane];
  }
}

template <size_t kTurns, size_t kChannels>
TARGET INLINED void filter_all_turns(const BankJob& job, size_t turns, const float* in, float* out,
                                     size_t lane) noexcept {
  for (; turns >= kTurns; turns -= kTurns) {
    filter_turns<kTurns, kChannels>(job, in, out, lane);
    in += kTurns * job.in_step;
    out += kTurns * job.out_step;
  }
  if constexpr (kTurns > 1) filter_all_turns<kTurns - 1, kChannels>(job, turns, in, out, lane);
}

TARGET void filter_bank(const BankJob& job) noexcept {
  for (size_t lane = 0; lane < kResamplerLanes; lane += Vector::kTogether * Vector::kLanes) {
    size_t channel = 0;
    for (; channel + 2 <= job.channels; channel += 2) {
      filter_all_turns<Vector::kTurns, 2>(job, job.turns, job.in + channel, job.out + channel,
                                          lane);
    }
    if (channel == job.channels) continue;
    filter_all_turns<2 * Vector::kTurns, 1>(job, job.turns, job.in + channel, job.out + channel,
                                            lane);
  }
}

TARGET INLINED Vector::Type between(const float* row, size_t width, Vector::Type t) noexcept {
  const Vector::Type a = Vector::load(row), b = Vector::load(row + width);
  const Vector::Type c = Vector::load(row + 2 * width), d = Vector::load(row + 3 * width);
  return Vector::fma(Vector::fma(Vector::fma(d, t, c), t, b), t, a);
}

// Makes kFrames frames of kChannels channels. Their coefficients stay in registers.
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

// Makes one frame with a row of coefficients, kChannels channels at a time.
template <size_t kChannels>
TARGET INLINED void filter_planes(const float* row, size_t width, const float* plane, size_t stride,
                                  size_t channels, float* out) noexcept {
  constexpr size_t kRoom = (kChannels + Vector::kBatch - 1) / Vector::kBatch * Vector::kBatch;
  for (; channels >= kChannels; channels -= kChannels) {
    Vector::Type sums[kRoom];
#pragma GCC unroll 8
    for (size_t n = 0; n < kRoom; ++n) sums[n] = Vector::all(0);
    for (size_t k = 0; k < width; k += Vector::kLanes) {
      const Vector::Type c = Vector::load(row + k);
#pragma GCC unroll 8
      for (size_t n = 0; n < kChannels; ++n) {
        sums[n] = Vector::fma(c, Vector::load(plane + n * stride + k), sums[n]);
      }
    }
    float made[kRoom];
#pragma GCC unroll 8
    for (size_t n = 0; n < kRoom; n += Vector::kBatch) Vector::sum(sums + n, made + n);
    std::memcpy(out, made, kChannels * sizeof(float));
    plane += kChannels * stride;
    out += kChannels;
  }
  if constexpr (kChannels > 1) {
    filter_planes<kChannels / 2>(row, width, plane, stride, channels, out);
  }
}

TARGET void filter_between(const float* row, const float* t, size_t width, const BetweenJob& job,
                           float* scratch) noexcept {
  constexpr size_t kFrames = Vector::kLanes / 4;  // as many as there are registers for
  if (job.channels == 1) return between_groups<kFrames, 1>(row, t, width, job, 0);
  if (job.channels == 2) return between_groups<kFrames, 2>(row, t, width, job, 0);
  // Computes the coefficients once, for all channels.
  for (size_t n = 0; n < job.frames; ++n) {
    const Vector::Type at = Vector::all(t[n]);
    for (size_t k = 0; k < width; k += Vector::kLanes) {
      Vector::store(between(row + k, width, at), scratch + k);
    }
    filter_planes<4>(scratch, width, job.planes + n * job.frame_step, job.stride, job.channels,
                     job.out + n * job.channels);
  }
}
