// A reporter for Node's test runner that closes with one plain line: `N passed, N failed, N skipped`; failures are printed whole.
export default async function* summary(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const event of source) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    if (event.data.details?.type === "suite") continue;
    if (event.data.skip !== undefined) skipped++;
    else if (event.type === "test:pass") passed++;
    else {
      failed++;
      const error = event.data.details?.error;
      yield `\nfailed: ${event.data.name} (${event.data.file ?? ""})\n${error?.cause?.stack ?? error?.stack ?? error}\n`;
    }
  }
  yield `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
