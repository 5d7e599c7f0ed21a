#include "pool.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

namespace hufu {

namespace {

// Items that a thread takes at a time: enough that a card's keys stay on one thread, few enough that all threads get some.
constexpr uint32_t BATCH_PART_MOST = 32;
constexpr uint32_t PARTS_PER_THREAD = 4;

// The session is unusable but the login may stand: the thread opens another one, once per item.
const std::set<CK_RV> REOPEN = {CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID};

// State of a thread of this process as in proc(5): R, S, D…; '?' where it cannot be seen.
char stateOf(long thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  // The name in parentheses may hold anything.
  const size_t name = line.rfind(") ");
  return name == std::string::npos || name + 2 >= line.size() ? '?' : line[name + 2];
}

}  // namespace

Pool::Pool(const Module &module, CK_SLOT_ID slot, size_t sessions, Done done) : done_(done) {
  try {
    while (threads_.size() < sessions) {
      auto thread = std::make_unique<Thread>(module, slot, counts_);
      thread->session.open();
      threads_.push_back(std::move(thread));
    }
  } catch (const CkError &error) {
    if (error.rv != CKR_SESSION_COUNT || threads_.empty()) {
      for (auto &thread : threads_) thread->session.close();
      throw;
    }
  }
  for (auto &thread : threads_) thread->thread = std::thread([this, self = thread.get()] { work(*self); });
}

void Pool::submit(Job *job) {
  bool refused = false;
  {
    const std::lock_guard lock(mutex_);
    refused = closing_;
    if (!refused) {
      (job->online ? online_ : batch_).push_back(job);
      if (job->online) onlineQueued_.fetch_add(1);
    }
  }
  if (refused) {
    job->failure = Failure{CKR_FUNCTION_CANCELED, "close", 0};
    return done_(job);
  }
  if (job->items == 1) wake_.notify_one();
  else wake_.notify_all();
}

void Pool::close() {
  std::vector<Job *> waiting;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    for (auto *queue : {&online_, &batch_}) {
      for (Job *job : *queue) {
        job->next = job->items;
        if (!job->failure) job->failure = Failure{CKR_FUNCTION_CANCELED, "close", 0};
        if (job->threads == 0) waiting.push_back(job);
      }
      queue->clear();
    }
    onlineQueued_ = 0;
  }
  for (Job *job : waiting) done_(job);
  wake_.notify_all();
  for (auto &thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
    thread->session.close();
  }
}

OldestCall Pool::oldestCall() const {
  OldestCall oldest;
  const Thread *owner = nullptr;
  const int64_t now = monotonicNs();
  for (const auto &thread : threads_) {
    const int64_t begun = thread->session.callBegunNs();
    if (begun == 0 || now - begun <= oldest.ageNs) continue;
    oldest.ageNs = now - begun;
    owner = thread.get();
  }
  oldest.running = owner != nullptr && stateOf(owner->id) == 'R';
  return oldest;
}

void Pool::work(Thread &self) {
  self.id = syscall(SYS_gettid);
  Part part{};
  while (next(self, false, part)) {
    busy_.fetch_add(1, std::memory_order_relaxed);
    runPart(self, part);
    busy_.fetch_sub(1, std::memory_order_relaxed);
  }
}

// Takes a part of a job; waits for one unless `onlineOnly`. False: there is none, or the pool closes. Levels of jobs that
// have no item left are given back first, so that a job never ends before its keys are gone.
bool Pool::next(Thread &self, bool onlineOnly, Part &part) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Lane *spent = nullptr;
    for (Lane *lane : {&self.online, &self.batch})
      if (lane->job != nullptr && lane->job->exhausted() && !(onlineOnly && lane == &self.batch)) spent = lane;
    if (spent != nullptr) {
      lock.unlock();
      detach(*spent);
      lock.lock();
      continue;
    }
    std::deque<Job *> &queue = !online_.empty() || onlineOnly ? online_ : batch_;
    if (!queue.empty()) {
      Job *job = queue.front();
      Lane &lane = job->online ? self.online : self.batch;
      if (lane.job != nullptr && lane.job != job) {
        // Only while a job that failed or was passed over is still held: let go of it first.
        lock.unlock();
        detach(lane);
        lock.lock();
        continue;
      }
      const uint32_t size = std::clamp<uint32_t>(job->items / static_cast<uint32_t>(threads_.size() * PARTS_PER_THREAD), 1, BATCH_PART_MOST);
      part = {job, job->next, std::min(job->items, job->next + size)};
      job->next = part.to;
      if (job->exhausted()) {
        queue.pop_front();
        if (job->online) onlineQueued_.fetch_sub(1);
      }
      attach(lane, job);
      return true;
    }
    if (closing_ || onlineOnly) return false;
    wake_.wait(lock);
  }
}

void Pool::attach(Lane &lane, Job *job) {
  if (lane.job == job) return;
  lane.job = job;
  job->threads++;
}

void Pool::detach(Lane &lane) {
  lane.levels.destroy();
  Job *job = lane.job;
  lane.job = nullptr;
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    ended = --job->threads == 0 && job->exhausted();
  }
  if (ended) done_(job);
}

void Pool::runPart(Thread &self, const Part &part) {
  Lane &lane = part.job->online ? self.online : self.batch;
  for (uint32_t index = part.from; index < part.to; index++) {
    if (!part.job->online) {
      // Whoever carries a single request waits for a processor no longer than an item takes.
      sched_yield();
      if (onlineQueued_.load(std::memory_order_relaxed) != 0) serveOnline(self);
    }
    if (auto failure = runItem(self, lane, *part.job, index)) return fail(*part.job, std::move(*failure));
  }
}

void Pool::serveOnline(Thread &self) {
  Part part{};
  while (next(self, true, part)) runPart(self, part);
}

std::optional<Failure> Pool::runItem(Thread &self, Lane &lane, Job &job, uint32_t index) {
  for (bool again = true;; again = false) {
    try {
      job.run(self.session, lane.levels, index);
      return std::nullopt;
    } catch (const CkError &error) {
      if (!again || REOPEN.count(error.rv) == 0) return Failure{error.rv, error.call, index};
    } catch (const std::bad_alloc &) {
      return Failure{CKR_HOST_MEMORY, "executor", index};
    }
    try {
      self.session.close();
      self.online.levels.forget();
      self.batch.levels.forget();
      self.session.open();
    } catch (const CkError &error) {
      return Failure{error.rv, error.call, index};
    }
  }
}

// The first failure is the batch's; its other items are not begun.
void Pool::fail(Job &job, Failure failure) {
  const std::lock_guard lock(mutex_);
  if (!job.failure) job.failure = std::move(failure);
  if (job.exhausted()) return;
  job.next = job.items;
  std::deque<Job *> &queue = job.online ? online_ : batch_;
  std::erase(queue, &job);
  if (job.online) onlineQueued_.fetch_sub(1);
}

}  // namespace hufu
