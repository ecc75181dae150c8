// A Matrix user on the SDK of Element, driven by lines of JSON. See the Go package testbed/jsuser, which is the other end.
//
// In:  {"id": 1, "verb": "send", ...}. Verbs are run one after the other.
// Out: {"id": 1, "value": ...} or {"id": 1, "error": "..."}, and what describe returns for every event of a room, again when the client
// comes to know more of it. Logs go to standard error: ids only, for the SDK does not log what people write.

import "fake-indexeddb/auto";
import { createInterface } from "node:readline";
import { ClientEvent, createClient, KnownMembership, MatrixEventEvent, RoomEvent, RoomStateEvent, SyncState } from "matrix-js-sdk";
import {
    AllDevicesIsolationMode,
    CryptoEvent,
    EventShieldColour,
    EventShieldReason,
    OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { load, save } from "./store.mjs";

// timelineLimit is how many events of one room a sync may bring. A gap would hide events.
const timelineLimit = 1000;

// The SDK logs to standard output, which is for answers.
const log = console.error;
for (const level of ["trace", "debug", "log", "info", "warn", "error"]) {
    console[level] = (...args) => log(new Date().toISOString(), ...args);
}

// What the SDK does in the background may fail, such as a request that the stop interrupts. A browser goes on then, too.
process.on("unhandledRejection", (error) => console.error("unhandled rejection:", error));

let client;
let storeFile;
const reported = new Map(); // the last report of each event, as JSON

function write(line) {
    process.stdout.write(JSON.stringify(line) + "\n");
}

// describe tells of an event what Element shows: its content, and whether a shield is beside it.
async function describe(event) {
    const about = {
        event: { ...event.getEffectiveEvent(), room_id: event.getRoomId() },
        encrypted: event.isEncrypted(),
        session: event.getWireContent().session_id ?? "",
        redacted: event.isRedacted(),
        failure: event.decryptionFailureReason ?? "",
        shield: "",
        reason: "",
    };
    if (about.encrypted && !about.redacted && !about.failure) {
        const info = await client.getCrypto().getEncryptionInfoForEvent(event);
        about.shield = info ? EventShieldColour[info.shieldColour] : "";
        about.reason = info && info.shieldReason !== null ? EventShieldReason[info.shieldReason] : "";
    }
    return about;
}

// report writes what is new of an event. Events that were not sent yet have no id of the homeserver.
async function report(event) {
    if (!event.getId()?.startsWith("$")) return;
    await client.decryptEventIfNeeded(event);
    const about = await describe(event);
    const line = JSON.stringify(about);
    if (reported.get(event.getId()) === line) return;
    reported.set(event.getId(), line);
    write(about);
}

// reportEncryption is for rooms whose state came at once, when the user joined.
function reportEncryption() {
    for (const room of client.getRooms()) {
        const encryption = room.currentState.getStateEvents("m.room.encryption", "");
        if (encryption) report(encryption);
    }
}

// synced waits until the first sync is through.
function synced() {
    return new Promise((resolve, reject) => {
        client.on(ClientEvent.Sync, (state, _, data) => {
            if (state === SyncState.Prepared) resolve();
            if (state === SyncState.Stopped) reject(new Error(`sync ended: ${data?.error}`));
        });
    });
}

const verbs = {
    // start logs in with what the last run left in the store file, if there was one.
    async start({ url, user, device, token, store, isolate, thinks }) {
        storeFile = store;
        await load(storeFile);
        client = createClient({ baseUrl: url, userId: user, deviceId: device, accessToken: token });
        await client.initRustCrypto();
        // What Element calls "exclude insecure devices".
        const mode = isolate ? new OnlySignedDevicesIsolationMode() : new AllDevicesIsolationMode(false);
        client.getCrypto().setDeviceIsolationMode(mode);
        client.on(RoomEvent.Timeline, report);
        client.on(RoomEvent.LocalEchoUpdated, report);
        client.on(RoomStateEvent.Events, report);
        client.on(MatrixEventEvent.Decrypted, report);
        client.on(ClientEvent.Sync, reportEncryption);
        client.on(RoomEvent.MyMembership, (room, membership) => {
            if (membership === KnownMembership.Invite) setTimeout(() => client.joinRoom(room.roomId), thinks);
        });
        const first = synced();
        await client.startClient({ initialSyncLimit: timelineLimit, lazyLoadMembers: true });
        await first;
    },

    // publishIdentity gives the user a cross-signing identity, as Element does when a first device is set up.
    async publishIdentity({ password }) {
        const identifier = { type: "m.id.user", user: client.getUserId() };
        await client.getCrypto().bootstrapCrossSigning({
            authUploadDeviceSigningKeys: (upload) => upload({ type: "m.login.password", identifier, password }),
        });
    },

    // directChat makes an encrypted room with one other user.
    async directChat({ user }) {
        const { room_id } = await client.createRoom({
            preset: "trusted_private_chat",
            is_direct: true,
            invite: [user],
            initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
        });
        return room_id;
    },

    async send({ room, type, content }) {
        const { event_id } = await client.sendEvent(room, type, content);
        return event_id;
    },

    // devices returns the devices of a user as soon as one is known that is not among the old ones.
    async devices({ user, old }) {
        for (;;) {
            const updated = new Promise((resolve) => client.once(CryptoEvent.DevicesUpdated, resolve));
            const devices = (await client.getCrypto().getUserDeviceInfo([user])).get(user);
            const names = [...(devices?.keys() ?? [])];
            if (names.some((name) => !old.includes(name))) return names;
            await updated;
        }
    },

    // signed waits until the device of a user is known to be signed by its owner.
    async signed({ user, device }) {
        for (;;) {
            const updated = new Promise((resolve) => {
                client.once(CryptoEvent.DevicesUpdated, resolve);
                client.once(CryptoEvent.UserTrustStatusChanged, resolve);
            });
            if ((await client.getCrypto().getDeviceVerificationStatus(user, device))?.signedByOwner) return;
            await updated;
        }
    },

    // sign makes another device of the user, which is known, a verified one.
    async sign({ device }) {
        await client.getCrypto().crossSignDevice(device);
    },

    // look tells of all events of a room what is shown now. It waits for decryption under way.
    async look({ room }) {
        const events = client.getRoom(room)?.getLiveTimeline().getEvents() ?? [];
        return Promise.all(
            events.map(async (event) => {
                await client.decryptEventIfNeeded(event);
                return describe(event);
            }),
        );
    },

    // stop ends the client and keeps what a browser would keep.
    async stop() {
        client?.stopClient();
        if (storeFile) await save(storeFile);
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const { id, verb, ...options } = JSON.parse(line);
    try {
        write({ id, value: (await verbs[verb](options)) ?? null });
    } catch (error) {
        write({ id, error: error.stack ?? String(error) });
    }
    if (verb === "stop") break;
}
process.exit();
