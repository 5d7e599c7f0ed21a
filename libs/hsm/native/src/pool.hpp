// Threads with a session each, and two queues in front of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>

#include "jobs.hpp"

namespace hufu {

// The call that has not returned for the longest time; ageNs 0: none runs. `running`: its thread computes or waits for a
// processor, so that not the device is to blame.
struct OldestCall {
  int64_t ageNs = 0;
  bool running = false;
};

class Pool {
 public:
  // Called on a thread of the pool when a job has ended; no thread touches the job any more.
  using Done = void (*)(Job *job);

  // Opens up to `sessions` sessions: fewer when the device gives no more. Throws CkError when it gives none.
  Pool(const Module &module, CK_SLOT_ID slot, size_t sessions, Done done);
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  // Online work goes before batch work: a thread looks for it after every item.
  void submit(Job *job);
  // Waits for running calls. What is queued fails with CKR_FUNCTION_CANCELED.
  void close();

  size_t sessions() const { return threads_.size(); }
  size_t busy() const { return busy_.load(std::memory_order_relaxed); }
  OldestCall oldestCall() const;
  const Counts &counts() const { return counts_; }

 private:
  struct Lane {
    explicit Lane(Session &session) : levels(session) {}
    Job *job = nullptr;
    Levels levels;
  };
  struct Thread {
    Thread(const Module &module, CK_SLOT_ID slot, Counts &counts) : session(module, slot, counts), online(session), batch(session) {}
    Session session;
    Lane online, batch;
    std::thread thread;
    std::atomic<long> id{0};
  };
  struct Part {
    Job *job;
    uint32_t from, to;
  };

  void work(Thread &self);
  bool next(Thread &self, bool onlineOnly, Part &part);
  void attach(Lane &lane, Job *job);
  void detach(Lane &lane);
  void runPart(Thread &self, const Part &part);
  void serveOnline(Thread &self);
  std::optional<Failure> runItem(Thread &self, Lane &lane, Job &job, uint32_t index);
  void fail(Job &job, Failure failure);

  const Done done_;
  Counts counts_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job *> online_, batch_;
  std::atomic<size_t> onlineQueued_{0}, busy_{0};
  bool closing_ = false;
};

}  // namespace hufu
