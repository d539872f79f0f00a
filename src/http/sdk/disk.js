/** What outlives the page: a database of the browser's, where it has one. */
class Disk {
  #database = null;

  /** Opens it, and finds the samples that were left and the latest time of a node's that was heard of. */
  async open(name) {
    const opening = indexedDB.open(name, 2);
    opening.onupgradeneeded = () => {
      const known = opening.result.objectStoreNames;
      for (const store of ["samples", "device"]) if (!known.contains(store)) opening.result.createObjectStore(store);
    };
    const database = await settled(opening);
    database.onversionchange = () => database.close();
    this.#database = database;
    const left = database.transaction(["samples", "device"]);
    const [samples, heard] = [left.objectStore("samples").getAll(), left.objectStore("device").get("heard")];
    return { samples: await settled(samples), heard: (await settled(heard)) ?? null };
  }

  keep(samples) {
    this.#write("samples", (store) => samples.forEach((sample) => store.put(sample, keyOf(sample))));
  }

  forget(samples) {
    this.#write("samples", (store) => samples.forEach((sample) => store.delete(keyOf(sample))));
  }

  keepHeard(heard) {
    this.#write("device", (store) => store.put(heard, "heard"));
  }

  #write(store, change) {
    try {
      if (this.#database) change(this.#database.transaction(store, "readwrite").objectStore(store));
    } catch {
      this.#database = null; // the browser has taken it away: what is in memory goes on
    }
  }
}

const keyOf = (sample) => `${sample.session} ${String(sample.seq).padStart(10, "0")}`;

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

