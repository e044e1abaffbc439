// The first second under a load: devices whose threads wake late, and whose stamps are those wakes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../src/core/graph/live_input.h"
#include "../../src/core/graph/mixer_node.h"
#include "../../src/core/graph/sink_node.h"
#include "../../src/core/graph/source_node.h"
#include "check.h"
#include "still_clock.h"

using namespace patchcord;

namespace {

constexpr uint32_t kRate = 48000;
constexpr uint32_t kPeriod = 480;
constexpr int kWakes = 130;
constexpr double kPeriodNs = 10e6;
constexpr double kStart = 1e12;

// Two starts of a meeting in Wine 10, as measured: of two capture streams and a render stream each
// wake, 0.1 ms after k periods. Wine stamps a packet with the moment at which its timer's thread
// wakes, and says that what is written now will be heard half a period after it.
struct Start {
  int16_t captures[2][kWakes];
  int16_t render[kWakes];
};
constexpr Start kStarts[] = {
    {{{644, 647, 649, 654, 661, 739, 639, 592, 649, 651, 660, 662, 664, 665, 688, 689, 589,
       643, 645, 647, 648, 649, 652, 654, 656, 657, 658, 659, 660, 661, 661, 661, 662, 662,
       663, 663, 663, 663, 664, 665, 664, 664, 664, 664, 664, 767, 721, 621, 671, 669, 668,
       667, 665, 664, 667, 665, 667, 665, 663, 660, 660, 659, 658, 658, 655, 654, 769, 669,
       674, 670, 666, 663, 659, 658, 653, 649, 645, 642, 637, 632, 628, 623, 618, 613, 607,
       601, 751, 652, 644, 638, 630, 623, 616, 607, 602, 747, 647, 639, 631, 622, 613, 604,
       748, 648, 638, 628, 617, 607, 749, 650, 639, 628, 620, 607, 750, 650, 638, 627, 616,
       605, 746, 646, 634, 623, 611, 806, 707, 691, 679, 669},
      {697, 699, 701, 701, 703, 739, 702, 702, 702, 702, 701, 701, 701, 709, 701, 701, 701,
       701, 701, 701, 701, 712, 702, 702, 702, 702, 702, 702, 701, 701, 701, 701, 701, 701,
       701, 701, 702, 702, 701, 701, 701, 702, 701, 701, 701, 823, 801, 800, 801, 801, 801,
       801, 802, 801, 801, 801, 801, 801, 801, 801, 801, 801, 801, 801, 801, 870, 824, 802,
       801, 801, 802, 801, 802, 802, 802, 802, 827, 828, 803, 802, 802, 802, 802, 802, 801,
       804, 803, 802, 802, 802, 802, 802, 805, 802, 801, 801, 802, 802, 802, 803, 802, 802,
       802, 802, 802, 802, 802, 802, 802, 802, 820, 802, 803, 802, 803, 802, 804, 803, 803,
       803, 804, 803, 803, 803, 803, 916, 818, 805, 805, 806}},
     {0,  46, 50, 54, 57, 57, 52,  52,  52,  54, 58, 133, 130, 87, 58, 54, 52, 52, 52, 52, 52, 52,
      52, 52, 52, 52, 52, 52, 53,  55,  54,  53, 53, 52,  52,  52, 52, 52, 53, 52, 52, 52, 52, 52,
      52, 53, 52, 52, 52, 52, 52,  166, 121, 74, 53, 52,  53,  52, 52, 53, 52, 52, 63, 53, 54, 51,
      53, 53, 53, 53, 53, 54, 157, 138, 90,  52, 53, 53,  53,  52, 53, 52, 53, 53, 53, 53, 53, 53,
      53, 53, 53, 53, 53, 54, 53,  53,  53,  53, 53, 53,  53,  63, 52, 53, 53, 53, 53, 53, 53, 53,
      53, 52, 53, 53, 53, 53, 53,  53,  53,  53, 53, 52,  53,  53, 54, 53, 53, 53, 53, 53}},
    {{{1524, 1425, 1427, 1426, 1426, 1426, 1426, 1426, 1425, 1425, 1425, 1428, 1427, 1426, 1432,
       1427, 1426, 1426, 1426, 1426, 1426, 1426, 1426, 1426, 1425, 1425, 1425, 1429, 1430, 1427,
       1426, 1427, 1426, 1427, 1426, 1427, 1426, 1426, 1426, 1427, 1426, 1426, 1427, 1426, 1426,
       1427, 1426, 1427, 1427, 1426, 1427, 1427, 1427, 1427, 1427, 1427, 1527, 1528, 1428, 1427,
       1527, 1526, 1527, 1527, 1526, 1527, 1526, 1526, 1529, 1526, 1526, 1526, 1526, 1526, 1526,
       1526, 1526, 1526, 1526, 1526, 1526, 1526, 1526, 1526, 1526, 1526, 1526, 1525, 1525, 1525,
       1525, 1526, 1526, 1527, 1526, 1525, 1526, 1526, 1526, 1525, 1525, 1525, 1525, 1525, 1526,
       1526, 1525, 1525, 1526, 1526, 1526, 1525, 1525, 1526, 1525, 1525, 1526, 1526, 1526, 1525,
       1525, 1526, 1526, 1526, 1526, 1526, 1525, 1526, 1526, 1526},
      {1583, 1586, 1606, 1609, 1612, 1615, 1618, 1621, 1623, 1627, 1629, 1633, 1638, 1640, 1642,
       1643, 1645, 1648, 1649, 1651, 1652, 1716, 1616, 1568, 1622, 1627, 1628, 1630, 1631, 1633,
       1635, 1637, 1638, 1639, 1640, 1642, 1643, 1645, 1647, 1648, 1650, 1651, 1652, 1654, 1656,
       1658, 1658, 1660, 1560, 1560, 1615, 1616, 1617, 1617, 1617, 1618, 1618, 1618, 1618, 1618,
       1618, 1617, 1616, 1615, 1613, 1611, 1609, 1607, 1604, 1601, 1601, 1600, 1599, 1599, 1595,
       1591, 1588, 1584, 1580, 1576, 1573, 1569, 1566, 1714, 1614, 1609, 1605, 1600, 1600, 1599,
       1605, 1600, 1598, 1599, 1593, 1590, 1584, 1579, 1573, 1568, 1714, 1614, 1607, 1601, 1599,
       1594, 1586, 1580, 1573, 1719, 1619, 1612, 1604, 1596, 1588, 1581, 1573, 1718, 1618, 1609,
       1601, 1595, 1586, 1577, 1721, 1622, 1612, 1602, 1594, 1584}},
     {0,   33,  52, 58, 92, 95, 121, 150, 127, 94,  122, 79, 93, 108, 94, 94, 94, 108, 94,
      93,  93,  93, 93, 94, 93, 93,  94,  118, 103, 94,  93, 93, 93,  93, 93, 93, 93,  116,
      96,  96,  95, 95, 95, 94, 94,  94,  94,  104, 104, 94, 94, 94,  94, 94, 94, 94,  94,
      104, 104, 94, 94, 94, 94, 94,  94,  94,  94,  95,  95, 95, 93,  94, 94, 94, 94,  94,
      94,  94,  94, 94, 94, 94, 93,  94,  93,  94,  93,  93, 93, 94,  93, 93, 93, 93,  93,
      93,  93,  93, 93, 93, 93, 93,  93,  95,  95,  93,  93, 94, 99,  96, 92, 92, 92,  93,
      93,  92,  94, 94, 93, 94, 94,  92,  93,  93,  93,  93, 93, 93,  93, 92}},
};

double wake_of(const int16_t* late, int k) { return kStart + k * kPeriodNs + late[k] * 1e5; }

struct Meeting {
  StillClock clock;
  std::vector<std::unique_ptr<SourceNode>> sources;
  std::vector<std::shared_ptr<LiveInput>> inputs;
  std::shared_ptr<MixerNode> mixer =
      std::make_shared<MixerNode>(MixerNode::Config{kRate, 2, 30e6, true});
  SinkNode sink{clock};

  Meeting() {
    std::vector<MixerNode::Input> mixed;
    for (int i = 0; i < 2; ++i) {
      const SourceNode::Config config{kRate, 2, static_cast<int64_t>(kStart), 0, false, false};
      sources.push_back(std::make_unique<SourceNode>(clock, config));
      sources.back()->open({kRate, 2, SampleFormat::kF32});
      auto queue = std::make_shared<FrameQueue>(2, kRate, kRate);
      sources.back()->attach(queue, nullptr);
      inputs.push_back(std::make_shared<LiveInput>(queue, kRate, 2));
      MixerNode::Input input;
      input.controls = std::make_shared<InputControls>(2, kRate);
      input.live = inputs.back();
      mixed.push_back(input);
    }
    mixer->publish(mixed);
    sink.open({kRate, 2, SampleFormat::kF32});
    sink.publish(nullptr, mixer);
  }

  void play(const Start& start) {
    std::vector<float> packet(kPeriod * 2), out(kPeriod * 2);
    std::array<int, 3> at{};  // the streams' wakes so far; the last is the sink's
    const auto next = [&](size_t stream) {
      return wake_of(stream < 2 ? start.captures[stream] : start.render, at[stream]);
    };
    while (*std::max_element(at.begin(), at.end()) < kWakes) {
      size_t first = 0;
      for (size_t i = 1; i < at.size(); ++i) {
        if (next(i) < next(first)) first = i;
      }
      const double now = next(first);
      clock.set(now);
      if (first < 2) {
        sources[first]->packet(packet.data(), kPeriod, int64_t{kPeriod} * at[first],
                               static_cast<int64_t>(now), false);
      } else {
        sink.render(out.data(), kPeriod, static_cast<int64_t>(now + kPeriodNs / 2));
      }
      ++at[first];
    }
  }
};

}  // namespace

TEST("stamps that jitter by 10 ms, as Wine's do: one correction at most, and nothing is lost") {
  for (const Start& start : kStarts) {
    Meeting meeting;
    meeting.play(start);
    for (size_t i = 0; i < 2; ++i) {
      const LiveInput& input = *meeting.inputs[i];
      const SourceNode::Stats& source = meeting.sources[i]->stats();
      std::printf("  %llu jumps, %.2f ms off in the end\n",
                  static_cast<unsigned long long>(input.stats().resyncs), input.offset_us() * 1e-3);
      CHECK(input.stats().resyncs <= 1);
      CHECK(input.stats().starvations == 0);
      CHECK(input.lost_frames() == 0);
      CHECK(std::fabs(input.offset_us()) < 10e3);
      CHECK(source.holes == 0 && source.trimmed_frames == 0);
    }
  }
}

// A place that was wrong from the start, with stamps that are good, is not worked off for minutes.
TEST("a stamp of the first second that was a guess is corrected once, in a fifth of a second") {
  for (const double guess : {-40e6, -3e6, 3e6, 40e6}) {
    Meeting meeting;
    std::vector<float> packet(kPeriod * 2), out(kPeriod * 2);
    constexpr int kGuesses = 20;
    for (int k = 0; k < 150; ++k) {
      const double now = kStart + k * kPeriodNs;
      meeting.clock.set(now);
      for (size_t i = 0; i < 2; ++i) {
        const double stamp = now - kPeriodNs + (i == 0 && k < kGuesses ? guess : 0);
        meeting.sources[i]->packet(packet.data(), kPeriod, int64_t{kPeriod} * k,
                                   static_cast<int64_t>(stamp), false);
      }
      meeting.sink.render(out.data(), kPeriod, static_cast<int64_t>(now + 20e6));
      if (k < kGuesses + 25) continue;
      CHECK(meeting.inputs[0]->stats().resyncs == 1);
      CHECK_NEAR(meeting.inputs[0]->offset_us(), 0, 100);
    }
    // It follows the mix, which grows older for a place that seems to come late.
    CHECK(meeting.inputs[1]->stats().resyncs == (meeting.mixer->lag_ns() > 30e6 ? 1 : 0));
  }
}
