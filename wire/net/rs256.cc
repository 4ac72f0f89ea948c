#include "wire/net/rs256.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

namespace kiln::net {

Result<std::string> SignRs256(const std::string& key, std::string_view text) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bytes(
      BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), BIO_free_all);
  // A key that asks for a password is refused: nobody is there to type it.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> parsed(
      PEM_read_bio_PrivateKey(bytes.get(), nullptr, no_password, nullptr), EVP_PKEY_free);
  if (!parsed || EVP_PKEY_get_base_id(parsed.get()) != EVP_PKEY_RSA) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalidArgument, "private key is none of RSA in PEM: expected one");
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const auto* input = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = static_cast<size_t>(EVP_PKEY_get_size(parsed.get()));
  std::string signature(size, '\0');
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, parsed.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     input, text.size()) != 1) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalidArgument, "private key does not sign: expected one of RSA");
  }
  signature.resize(size);
  return signature;
}

}  // namespace kiln::net
