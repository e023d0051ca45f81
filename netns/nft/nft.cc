#include "netns/nft/nft.h"

#include <nftables/libnftables.h>

namespace netns {
namespace {

std::string trimmed(const char* text) {
  std::string out = text == nullptr ? "" : text;
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

class LibNft final : public Nft {
 public:
  explicit LibNft(nft_ctx* context) : context_(context) {}
  ~LibNft() override { nft_ctx_free(context_); }

  base::Status run(const std::string& commands) override {
    if (nft_run_cmd_from_buffer(context_, commands.c_str()) != 0) return failure();
    // Fetching resets the buffers: what a command printed must not show up in the next query's answer.
    nft_ctx_get_output_buffer(context_);
    nft_ctx_get_error_buffer(context_);
    return {};
  }

  base::Result<std::string> query(const std::string& command, bool as_json) override {
    nft_ctx_output_set_flags(context_, as_json ? NFT_CTX_OUTPUT_JSON : 0);
    int failed = nft_run_cmd_from_buffer(context_, command.c_str());
    nft_ctx_output_set_flags(context_, 0);
    if (failed != 0) return failure();
    const char* text = nft_ctx_get_output_buffer(context_);
    std::string out = text == nullptr ? "" : text;
    nft_ctx_get_error_buffer(context_);
    return out;
  }

 private:
  base::Error failure() {
    std::string message = trimmed(nft_ctx_get_error_buffer(context_));
    nft_ctx_get_output_buffer(context_);
    if (message.empty()) message = "command failed without a message";
    return base::Error(base::Code::kInternal, "nftables: " + message);
  }

  nft_ctx* context_;
};

}  // namespace

base::Result<std::unique_ptr<Nft>> Nft::open() {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return base::Error(base::Code::kInternal, "nftables: cannot open a context in this network namespace");
  if (nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0) {
    nft_ctx_free(context);
    return base::Error(base::Code::kInternal, "nftables: cannot buffer output");
  }
  return std::unique_ptr<Nft>(new LibNft(context));
}

}  // namespace netns
