/* Integer work of the kinds that small processors are compared by: lists, matrices, a state machine, a checksum. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

struct node {
  struct node *next;
  int16_t key, value;
};

static struct node *merge(struct node *a, struct node *b, int by_key) {
  struct node head, *last = &head;
  while (a && b) {
    int first = by_key ? a->key <= b->key : a->value <= b->value;
    struct node **from = first ? &a : &b;
    last = last->next = *from;
    *from = (*from)->next;
  }
  last->next = a ? a : b;
  return head.next;
}

static struct node *sort(struct node *list, int by_key) {
  if (!list || !list->next) return list;
  struct node *slow = list, *fast = list->next;
  while (fast && fast->next) slow = slow->next, fast = fast->next->next;
  struct node *second = slow->next;
  slow->next = NULL;
  return merge(sort(list, by_key), sort(second, by_key), by_key);
}

static struct node *reverse(struct node *list) {
  struct node *done = NULL;
  while (list) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static uint16_t crc16(uint16_t crc, uint32_t word) {
  for (int bit = 0; bit < 32; bit++, word >>= 1) crc = (crc ^ word) & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
}

enum { nodes = 400, size = 36, text_length = 2000 };
static struct node pool[nodes];
static int16_t left[size][size], right[size][size];
static int32_t product[size][size];
static char text[text_length + 1];

static uint16_t lists(uint16_t crc) {
  struct node *list = NULL;
  for (int i = 0; i < nodes; i++) {
    pool[i] = (struct node){list, random32() & 0x7fff, i};
    list = &pool[i];
  }
  list = sort(list, 1);
  for (struct node *at = list; at; at = at->next) crc = (crc << 1 | crc >> 15) ^ at->value;
  for (int round = 0; round < 20; round++) {
    list = reverse(list);
    int wanted = round * 13 % nodes, steps = 0;
    for (struct node *at = list; at && at->value != wanted; at = at->next) steps++;
    crc ^= steps;
  }
  list = sort(list, 0);
  return crc16(crc, list->key);
}

static uint16_t matrices(uint16_t crc) {
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) left[i][j] = random32() % 200 - 100, right[i][j] = random32() % 200 - 100;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      int32_t sum = 0;
      for (int k = 0; k < size; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
  int32_t trace = 0;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) trace = trace * 3 + (product[i][j] >> (j & 7));
  return crc16(crc, trace);
}

enum state { start, sign, integer, point, fraction, exponent, exponent_sign, power, invalid, states };

static enum state step(enum state state, char c) {
  int digit = c >= '0' && c <= '9';
  switch (state) {
    case start: return digit ? integer : c == '-' || c == '+' ? sign : c == '.' ? point : invalid;
    case sign: return digit ? integer : c == '.' ? point : invalid;
    case integer: return digit ? integer : c == '.' ? point : c == 'e' ? exponent : invalid;
    case point:
    case fraction: return digit ? fraction : c == 'e' ? exponent : invalid;
    case exponent: return digit ? power : c == '-' || c == '+' ? exponent_sign : invalid;
    case exponent_sign:
    case power: return digit ? power : invalid;
    default: return invalid;
  }
}

static uint16_t numbers(uint16_t crc) {
  for (int i = 0; i < text_length; i++) text[i] = "0123456789012345.-e,,,+"[random32() % 23];
  uint32_t seen[states] = {0};
  enum state state = start;
  for (const char *at = text; *at; at++) {
    if (*at == ',') seen[state]++, state = start;
    else state = step(state, *at);
  }
  for (int i = 0; i < states; i++) crc = crc16(crc, seen[i]);
  return crc;
}

uint64_t workload(void) {
  uint16_t crc = 0;
  for (int round = 0; round < 2500; round++) {
    crc = lists(crc);
    crc = matrices(crc);
    crc = numbers(crc);
  }
  return crc;
}
