// QEMU TCG plugin: how often each block of instructions ran, and what missed two levels of cache,
// between the two marks of harness.c.
//
//   qemu-aarch64 -plugin ./plugin.so,l1=32768,l1ways=2,l2=1048576,l2ways=16 PROGRAM
//
// writes "block EXECUTIONS WORDS" for each block that ran, its instructions in hexadecimal, and
// then "call L1_MISSES L2_MISSES WRITE_BACKS". Data only; lines of 64 bytes; no prefetcher; LRU;
// write-allocate, write-back; the second level need not hold what the first does. DC ZVA, with
// which a libc clears memory, is no access to QEMU.
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Plugin API 1 of QEMU 7.2 (include/qemu/qemu-plugin.h of its source); Debian ships no header.
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0, MEM_READ_WRITE = 3 };
typedef void on_block(uint64_t, struct qemu_plugin_tb *);
typedef void on_instruction(unsigned, void *);
typedef void on_access(unsigned, uint32_t, uint64_t, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, on_block *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, on_instruction *, int,
                                            void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_access *, int, int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
bool qemu_plugin_mem_is_store(uint32_t);
int qemu_plugin_version = 1;

#define HINT(number) (0xd503201fu | (number) << 5)
enum { LINE_SHIFT = 6 };

// A set is `ways` entries, the last used one first; an entry is line * 2 + dirty, 0 where empty.
typedef struct {
  uint64_t *entries, sets, ways, misses;
} Cache;

typedef struct Block {
  uint64_t executions, count;
  struct Block *next;
  uint32_t words[];
} Block;

static Cache first, second;
static uint64_t write_backs, last_line;
static bool last_dirty;
static Block *blocks;

// The entry of `line` moves to the front of its set. True on a hit, else `fallen` had to go.
static bool touch(Cache *cache, uint64_t line, bool dirty, uint64_t *fallen) {
  uint64_t *set = cache->entries + line % cache->sets * cache->ways, way = 0;
  while (way < cache->ways && set[way] >> 1 != line) way++;
  bool hit = way < cache->ways;
  if (!hit) way--;
  *fallen = hit ? 0 : set[way];
  dirty |= hit && set[way] & 1;
  memmove(set + 1, set, way * sizeof *set);
  set[0] = line << 1 | dirty;
  return hit;
}

static void access_memory(unsigned cpu, uint32_t info, uint64_t address, void *unused) {
  (void)cpu, (void)unused;
  uint64_t line = address >> LINE_SHIFT, fallen, lost;
  bool store = qemu_plugin_mem_is_store(info);
  // Most accesses go where the one before went; that line is at the front of its set already.
  if (line == last_line && last_dirty >= store) return;
  last_line = line;
  last_dirty = store;
  if (touch(&first, line, store, &fallen)) return;
  first.misses++;
  second.misses += !touch(&second, line, false, &lost);
  write_backs += lost & 1;
  // The whole line is there: a miss reads nothing for it.
  if (fallen & 1) touch(&second, fallen >> 1, true, &lost);
  write_backs += fallen & lost & 1;
}

static void begin(unsigned cpu, void *unused) {
  (void)cpu, (void)unused;
  first.misses = second.misses = write_backs = 0;
  for (Block *one = blocks; one; one = one->next) one->executions = 0;
}

static void end(unsigned cpu, void *unused) {
  (void)cpu, (void)unused;
  for (Block *one = blocks; one; one = one->next) {
    if (!one->executions) continue;
    printf("block %" PRIu64 " ", one->executions);
    for (uint64_t i = 0; i < one->count; i++) printf("%08" PRIx32, one->words[i]);
    putchar('\n');
  }
  printf("call %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", first.misses, second.misses, write_backs);
  fflush(stdout);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(tb);
  Block *block = calloc(1, sizeof *block + count * sizeof *block->words);
  if (!block) abort();
  block->count = count;
  block->next = blocks;
  blocks = block;
  for (size_t i = 0; i < count; i++) {
    struct qemu_plugin_insn *one = qemu_plugin_tb_get_insn(tb, i);
    uint32_t *word = memcpy(&block->words[i], qemu_plugin_insn_data(one), sizeof *word);
    on_instruction *mark = *word == HINT(126u) ? begin : *word == HINT(127u) ? end : NULL;
    if (mark) qemu_plugin_register_vcpu_insn_exec_cb(one, mark, CB_NO_REGS, NULL);
    qemu_plugin_register_vcpu_mem_cb(one, access_memory, CB_NO_REGS, MEM_READ_WRITE, NULL);
  }
  qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block->executions, 1);
}

static bool build(Cache *cache, uint64_t size) {
  cache->sets = cache->ways ? size / cache->ways >> LINE_SHIFT : 0;
  cache->entries = calloc(cache->sets * cache->ways, sizeof *cache->entries);
  return cache->sets && cache->entries;
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **words) {
  (void)info;
  uint64_t first_size = 0, second_size = 0;
  for (int i = 0; i < count; i++) {
    sscanf(words[i], "l1=%" SCNu64, &first_size);
    sscanf(words[i], "l1ways=%" SCNu64, &first.ways);
    sscanf(words[i], "l2=%" SCNu64, &second_size);
    sscanf(words[i], "l2ways=%" SCNu64, &second.ways);
  }
  if (!build(&first, first_size) || !build(&second, second_size)) {
    return fputs("plugin.c: each cache needs a size and ways\n", stderr), 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
