// What the pool runs: one kind of work over many items.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recipes.hpp"

namespace hufu {

struct Failure {
  CK_RV rv;
  std::string call;
  uint32_t item;
};

class Job {
 public:
  explicit Job(uint32_t count, bool onlineLane) : items(count), online(onlineLane) {}
  virtual ~Job() = default;
  // Runs item `index` on the thread's session. Throws CkError.
  virtual void run(Session &session, Levels &levels, uint32_t index) = 0;

  const uint32_t items;
  const bool online;
  void *owner = nullptr;  // whoever waits for it

  // Guarded by the pool's lock.
  uint32_t next = 0;
  uint32_t threads = 0;  // that hold levels of it or run its items
  std::optional<Failure> failure;
  bool exhausted() const { return next >= items; }
};

// A packed batch (libs/hsm/src/domain/batch.ts).
class BatchJob : public Job {
 public:
  // Throws CkError{CKR_ARGUMENTS_BAD} for what readBatch would not have let through.
  static BatchJob *read(const Numbers &numbers, std::vector<uint8_t> batch, std::vector<BatchKey> keys, bool onlineLane);
  void run(Session &session, Levels &levels, uint32_t index) override;
  // itemCount × (length 1 · bytes)
  std::vector<uint8_t> answers() const;

 private:
  BatchJob(const Numbers &numbers, std::vector<uint8_t> batch, std::vector<BatchKey> keys, uint32_t count, bool onlineLane)
      : Job(count, onlineLane), numbers_(numbers), batch_(std::move(batch)), keys_(std::move(keys)), answers_(count) {}
  const Numbers &numbers_;
  const std::vector<uint8_t> batch_;
  const std::vector<BatchKey> keys_;
  Recipe recipe_ = nullptr;
  std::vector<uint32_t> bodies_;
  std::vector<Answer> answers_;
};

struct SignItem {
  CK_OBJECT_HANDLE handle;
  CK_MECHANISM_TYPE mechanism;
  std::vector<uint8_t> parameter, data;
  uint32_t signatureBytesMost;
};

// One C_SignInit and one C_Sign per item.
class SignJob : public Job {
 public:
  SignJob(std::vector<SignItem> work, bool onlineLane) : Job(static_cast<uint32_t>(work.size()), onlineLane), work_(std::move(work)), signatures_(work_.size()) {}
  void run(Session &session, Levels &levels, uint32_t index) override;
  const std::vector<std::vector<uint8_t>> &signatures() const { return signatures_; }

 private:
  std::vector<SignItem> work_;
  std::vector<std::vector<uint8_t>> signatures_;
};

// Asks the device whether it is there: the session, and the token behind it.
class ProbeJob : public Job {
 public:
  ProbeJob() : Job(1, true) {}
  void run(Session &session, Levels &levels, uint32_t index) override;
};

}  // namespace hufu
