// The picture, once a second, for as long as the page is open.

const RETRY_MS = [500, 1_000, 2_000, 5_000];
// Longer than a picture ever takes; a server that is held says nothing and does not hang up.
const SILENCE_MS = 5_000;

let credential = "";

// Shows a credential from here on.
export function show(text) {
  credential = text.trim();
}

export function headers() {
  return credential ? { authorization: `Bearer ${credential}` } : {};
}

// Calls `picture` with each that comes, and `state` with what becomes of the connection. Fetched and not an
// EventSource, which cannot show a credential.
export async function follow(picture, state) {
  for (let failures = 0; ; ) {
    try {
      await stream((drawn) => { failures = 0; state("live", drawn); picture(drawn); });
      state("lost", "the server hung up");
    } catch (error) {
      state("lost", error.message);
    }
    await new Promise((again) => setTimeout(again, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
    failures += 1;
  }
}

async function stream(tell) {
  const silence = new AbortController();
  let watchdog;
  const wait = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => silence.abort(new Error("the server says nothing")), SILENCE_MS);
  };
  wait();
  try {
    const response = await fetch("/v1/admin/picture/events", { headers: headers(), signal: silence.signal });
    if (!response.ok) throw new Error(await why(response));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let heard = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      wait();
      const events = (heard + value).split("\n\n");
      heard = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
        if (data) tell(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}

async function why(response) {
  const problem = await response.json().catch(() => null);
  return problem?.detail ?? problem?.title ?? `the server answered ${response.status}`;
}

// Gives the laboratory an order; `said` is called with each line that comes back.
export async function order(words, said) {
  const response = await fetch("/lab/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(words),
  });
  if (!response.ok) return said(`refused: ${(await response.text()).trim() || response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let heard = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (heard + value).split("\n");
    heard = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const answer = JSON.parse(line);
      if (answer.said !== undefined) said(answer.said);
      if (answer.ended === "failed") said("it did not go as asked");
    }
  }
}
