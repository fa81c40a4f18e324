/** Waits for what is to come, with a deadline that a loaded machine keeps. */
export async function until(condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
