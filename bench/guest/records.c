/* Records, strings and small procedures, as programs of the seventies and of today are made of. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

enum colour { red, green, blue };
struct record {
  struct record *next;
  enum colour colour;
  int number;
  char name[32];
};

static int global, table[50], square[50][50];
static char first_letter, second_letter;

__attribute__((noinline)) static int letters_equal(char a, char b) {
  if (a != b) return 0;
  first_letter = a;
  return 1;
}

__attribute__((noinline)) static int names_ordered(const char *a, const char *b) {
  int i = 2;
  while (i <= 2)
    if (letters_equal(a[i], b[i + 1])) second_letter = 'A', i++;
    else i += 2;
  if (second_letter >= 'W' && second_letter < 'Z') i = 7;
  if (strcmp(a, b) <= 0) return 0;
  global = i + 7;
  return 1;
}

__attribute__((noinline)) static enum colour next_colour(enum colour colour) {
  switch (colour) {
    case red: return global > 100 ? red : blue;
    case green: return red;
    default: return green;
  }
}

__attribute__((noinline)) static void fill(int *row, int (*grid)[50], int at, int value) {
  row[at] = value;
  row[at + 1] = row[at];
  row[at + 20] = at;
  for (int i = at; i <= at + 1; i++) grid[at][i] = at;
  grid[at][at - 1]++;
  grid[at + 20][at] = row[at];
  global = 5;
}

__attribute__((noinline)) static void change(struct record *record) {
  struct record *next = record->next;
  *next = *record;
  record->number = 5;
  next->number = record->number;
  next->next = record->next;
  if (next->colour == red) {
    next->number = 6;
    next->colour = next_colour(record->colour);
    next->number = next->number * 3 + global;
  } else *record = *next;
}

uint64_t workload(void) {
  struct record *one = malloc(sizeof *one), *two = malloc(sizeof *two);
  char name[32], other[32];
  uint64_t sum = 0;
  one->next = two;
  one->colour = red;
  strcpy(one->name, "a record with a name, the first");
  strcpy(name, "a record with a name, the first");
  for (int round = 0; round < 4000000; round++) {
    strcpy(other, "a record with a name, the other");
    other[round & 15] = 'a' + (round & 7);
    sum += names_ordered(name, other);
    int a = 2, b = 3, c = 0;
    while (a < b) c = 5 * a - b, a++;
    fill(table, square, 8 + (round & 7), c + round);
    one->next = two;
    change(one);
    one->colour = next_colour(one->colour);
    b = a * c;
    a = b / (c | 1);
    sum = sum * 5 + a + two->number + table[9] + (unsigned char)other[3];
  }
  free(one);
  free(two);
  return sum;
}
