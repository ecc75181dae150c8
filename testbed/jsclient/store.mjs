// IndexedDB in a file. Browsers keep it on the disk, fake-indexeddb only in memory: what a client has in it is written when the client
// stops and read when it starts again.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";

// done waits for a request.
function done(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}

// save writes all databases into the file. Nobody may change them meanwhile.
export async function save(file) {
    const databases = [];
    for (const { name, version } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name));
        const stores = [];
        for (const storeName of database.objectStoreNames) {
            const store = database.transaction(storeName).objectStore(storeName);
            stores.push({
                name: storeName,
                keyPath: store.keyPath,
                autoIncrement: store.autoIncrement,
                indexes: [...store.indexNames].map((indexName) => {
                    const { name, keyPath, unique, multiEntry } = store.index(indexName);
                    return { name, keyPath, unique, multiEntry };
                }),
                keys: await done(store.getAllKeys()),
                values: await done(store.getAll()),
            });
        }
        database.close();
        databases.push({ name, version, stores });
    }
    writeFileSync(file, serialize(databases), { mode: 0o600 });
}

// load fills IndexedDB, which must be empty, from the file. It returns false, and does nothing, if there is no file yet.
export async function load(file) {
    if (!existsSync(file)) return false;
    for (const { name, version, stores } of deserialize(readFileSync(file))) {
        const opening = indexedDB.open(name, version);
        opening.onupgradeneeded = () => {
            for (const { name, keyPath, autoIncrement, indexes, keys, values } of stores) {
                const store = opening.result.createObjectStore(name, { keyPath, autoIncrement });
                for (const index of indexes) store.createIndex(index.name, index.keyPath, index);
                values.forEach((value, i) => (keyPath === null ? store.put(value, keys[i]) : store.put(value)));
            }
        };
        (await done(opening)).close();
    }
    return true;
}
