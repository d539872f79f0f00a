/** What outlives the page: a database of the browser's, where it has one. */
class Disk {
  #database = null;

  /** Opens it, and finds the samples that were left, and what is known under these names. */
  async open(name, ...known) {
    const opening = indexedDB.open(name, 2);
    opening.onupgradeneeded = () => {
      const there = opening.result.objectStoreNames;
      for (const store of ["samples", "device"]) if (!there.contains(store)) opening.result.createObjectStore(store);
    };
    const database = await settled(opening);
    database.onversionchange = () => database.close();
    this.#database = database;
    const left = database.transaction(["samples", "device"]);
    const samples = left.objectStore("samples").getAll();
    const values = known.map((key) => left.objectStore("device").get(key));
    return [await settled(samples), ...(await Promise.all(values.map(settled)))];
  }

  keep(samples) {
    this.#write("samples", (store) => samples.forEach((sample) => store.put(sample, keyOf(sample))));
  }

  forget(samples) {
    this.#write("samples", (store) => samples.forEach((sample) => store.delete(keyOf(sample))));
  }

  know(key, value) {
    this.#write("device", (store) => store.put(value, key));
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

