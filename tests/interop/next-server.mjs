// What the handler takes of "next/server": work for after the answer.
export function after(work) {
  setImmediate(() => Promise.resolve(work()).catch((error) => console.error(error)));
}
