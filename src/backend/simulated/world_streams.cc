#include <utility>

#include "world.h"
#include "world_errors.h"

namespace patchcord {
namespace {

// The world has one mixer with one period for all streams.
Error grant(const OpenOptions& options, const DeviceInfo& device, StreamInfo* info) {
  if (Error refused = refuse_api(options)) return refused;
  if (options.exclusive) {
    return device_error(
        ErrorCode::kUnsupported, device,
        "cannot be opened in exclusive mode, because the simulated system shares every device",
        "leave shareMode out");
  }
  if (options.format.sample_rate != 0 && options.format != info->format) {
    return device_error(ErrorCode::kFormatUnsupported, device,
                        "runs in another format than the requested one",
                        "request the device's own format, or none");
  }
  if (options.low_latency) {
    info->granted.low_latency = info->period_frames < ten_ms(info->format)
                                    ? Wish::fulfilled()
                                    : Wish::refused("the device was described with this period");
  }
  if (options.raw) info->granted.raw = Wish::fulfilled();
  if (options.category != Category::kOther) {
    info->granted.category = Wish::refused("the simulated system treats all streams alike");
  }
  return Error::none();
}

// A stream on a card. Control thread.
template <class Client>
class CardStream final : public Stream {
 public:
  CardStream(std::shared_ptr<Card> card, size_t side, std::shared_ptr<Client> client,
             StreamInfo info)
      : card_(std::move(card)), side_(side), client_(std::move(client)), info_(std::move(info)) {
    card_->attach(side_, client_);
  }
  ~CardStream() override {
    card_->stop(client_);
    card_->detach(side_, client_);
  }

  const StreamInfo& info() const override { return info_; }
  Error start() override {
    card_->start(side_, client_);
    return Error::none();
  }
  void stop() override { card_->stop(client_); }
  EndpointState endpoint() const noexcept override { return card_->endpoint(side_); }

 private:
  std::shared_ptr<Card> card_;
  const size_t side_;
  std::shared_ptr<Client> client_;
  StreamInfo info_;
};

}  // namespace

Error World::find_active(const std::string& id, Flow flow, Entry** entry) {
  if (gone_) return closed_ ? closed_error() : server_error();
  if (Error error = find(id, entry)) return error;
  const DeviceInfo& info = (*entry)->info;
  if (info.flow != flow) {
    return device_error(ErrorCode::kUnsupported, info,
                        flow == Flow::kInput ? "is an output" : "is an input",
                        flow == Flow::kInput ? "open its loopback" : "choose an output");
  }
  if ((*entry)->denied) {
    return device_error(ErrorCode::kPermissionDenied, info,
                        "cannot be opened, because access is denied",
                        "allow it again with deny(false)");
  }
  if (info.state != DeviceState::kActive) {
    return device_error(ErrorCode::kDeviceLost, info, "is not active",
                        "plug it in or choose another device");
  }
  return Error::none();
}

Error World::check_input(const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = nullptr;
  return find_active(id, Flow::kInput, &entry);
}

Error World::open_capture(const CaptureRequest& request, CaptureListener* listener,
                          std::unique_ptr<Stream>* stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool loopback = request.kind == CaptureRequest::Kind::kLoopback;
  Entry* entry = nullptr;
  if (Error error =
          find_active(request.device_id, loopback ? Flow::kOutput : Flow::kInput, &entry)) {
    return error;
  }
  StreamInfo info;
  info.format = entry->info.format;
  info.period_frames = entry->period_frames;
  info.buffer_frames = info.format.sample_rate;  // kCaptureBufferNs
  info.device_id = entry->info.id;
  if (Error error = grant(request.options, entry->info, &info)) return error;
  info.echo_cancelled = entry->cancels_echo;
  if (!request.options.echo_reference.empty()) {
    Entry* output = nullptr;
    info.granted.echo_reference =
        !entry->cancels_echo
            ? Wish::refused("the system does not cancel the echo of this microphone")
        : find_active(request.options.echo_reference, Flow::kOutput, &output)
            ? Wish::refused("the reference is not an output that can be used")
            : Wish::fulfilled();
  }
  *stream = std::make_unique<CardStream<Card::CaptureClient>>(
      entry->card, entry->side, std::make_shared<Card::CaptureClient>(listener), info);
  return Error::none();
}

Error World::open_render(const RenderRequest& request, RenderListener* listener,
                         std::unique_ptr<Stream>* stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry* entry = nullptr;
  if (Error error = find_active(request.device_id, Flow::kOutput, &entry)) return error;
  StreamInfo info;
  info.format = entry->info.format;
  info.period_frames = entry->period_frames;
  const uint64_t more = uint64_t{request.most_more_ms} * info.format.sample_rate / 1000;
  const uint32_t periods = 1 + static_cast<uint32_t>(more / info.period_frames);
  info.buffer_frames = (1 + periods) * info.period_frames;
  info.device_id = entry->info.id;
  if (Error error = grant(request.options, entry->info, &info)) return error;
  const size_t bytes = info.period_frames * bytes_per_frame(info.format);
  *stream = std::make_unique<CardStream<Card::RenderClient>>(
      entry->card, entry->side, std::make_shared<Card::RenderClient>(listener, bytes, periods),
      info);
  return Error::none();
}

}  // namespace patchcord
