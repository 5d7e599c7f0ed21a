#include "jobs.hpp"

#include <cstring>

namespace hufu {

namespace {
constexpr size_t HEAD_BYTES = 8, KEY_ID_BYTES = 16;
constexpr uint8_t VERSION = 1;
size_t be16(const uint8_t *at) { return size_t{at[0]} << 8 | at[1]; }
size_t be32(const uint8_t *at) { return be16(at) << 16 | be16(at + 2); }
}  // namespace

BatchJob *BatchJob::read(const Numbers &numbers, std::vector<uint8_t> batch, std::vector<BatchKey> keys, bool onlineLane) {
  const CkError bad{CKR_ARGUMENTS_BAD, "batch"};
  if (batch.size() < HEAD_BYTES || batch[1] != VERSION) throw bad;
  const Recipe recipe = recipeAt(batch[0]);
  const size_t keyCount = be16(&batch[2]), itemCount = be32(&batch[4]);
  if (recipe == nullptr || itemCount == 0 || itemCount > batch.size() || keys.size() < keyCount) throw bad;
  for (const BatchKey &key : keys)
    if (key.algorithm >= ALGORITHMS) throw bad;
  std::vector<uint32_t> bodies(itemCount + 1);
  size_t at = HEAD_BYTES + keyCount * KEY_ID_BYTES;
  for (size_t i = 0; i < itemCount; i++) {
    if (at + 2 > batch.size()) throw bad;
    bodies[i] = static_cast<uint32_t>(at);
    at += 2 + be16(&batch[at]);
  }
  if (at != batch.size()) throw bad;
  bodies[itemCount] = static_cast<uint32_t>(at);
  auto *job = new BatchJob(numbers, std::move(batch), std::move(keys), static_cast<uint32_t>(itemCount), onlineLane);
  job->recipe_ = recipe;
  job->bodies_ = std::move(bodies);
  return job;
}

void BatchJob::run(Session &session, Levels &levels, uint32_t index) {
  const Bytes body = Bytes(batch_).subspan(bodies_[index] + 2, bodies_[index + 1] - bodies_[index] - 2);
  levels.beginItem();
  ItemWork work{session, numbers_, keys_, levels, body, answers_[index]};
  recipe_(work);
}

std::vector<uint8_t> BatchJob::answers() const {
  size_t total = 0;
  for (const Answer &answer : answers_) total += 1 + size_t{answer.length};
  std::vector<uint8_t> all;
  all.reserve(total);
  for (const Answer &answer : answers_) {
    all.push_back(answer.length);
    all.insert(all.end(), answer.bytes.begin(), answer.bytes.begin() + answer.length);
  }
  return all;
}

void SignJob::run(Session &session, Levels &, uint32_t index) {
  SignItem &item = work_[index];
  CK_MECHANISM mechanism{item.mechanism, item.parameter.empty() ? nullptr : item.parameter.data(), item.parameter.size()};
  std::vector<uint8_t> signature(item.signatureBytesMost);
  CK_ULONG length = signature.size();
  HUFU_CALL(session, C_SignInit, &mechanism, item.handle);
  HUFU_CALL(session, C_Sign, item.data.data(), item.data.size(), signature.data(), &length);
  if (length > signature.size()) throw CkError{CKR_OK, "C_Sign"};
  signature.resize(length);
  signatures_[index] = std::move(signature);
}

void ProbeJob::run(Session &session, Levels &, uint32_t) {
  CK_SESSION_INFO info{};
  HUFU_CALL(session, C_GetSessionInfo, &info);
  if (info.state != CKS_RW_USER_FUNCTIONS) throw CkError{CKR_USER_NOT_LOGGED_IN, "C_GetSessionInfo"};
}

}  // namespace hufu
