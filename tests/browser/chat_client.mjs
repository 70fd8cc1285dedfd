// chat_client.mjs mattermost|rocketchat URL ROOT h1|h2 [CERT KEY]: the real client library of that server, driven line by
// line as drive.mjs is. What a browser's window would have (fetch, WebSocket, FormData) is that of undici and ws, with the
// certificate.
import fs from "node:fs";
import readline from "node:readline";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import * as undici from "undici";
import WS from "ws";

const [kind, url, root, version, certificate, key] = process.argv.slice(2);
const host = new URL(url).hostname;
const tls = {
	ca: fs.readFileSync(root), servername: host,
	...(certificate && { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }),
	lookup: (name, options, done) => options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
};
const agent = new undici.Agent({ connect: tls, allowH2: version === "h2" });
const sockets = { opened: 0, tried: 0, closes: [] };

class DoorSocket extends WS {
	constructor(address) {
		super(String(address).replace(/^http/, "ws"), tls);
		sockets.tried++;
		this.addEventListener("open", () => sockets.opened++);
		this.addEventListener("close", event => sockets.closes.push({ code: event.code, reason: event.reason }));
		this.on("error", () => {}); // a close follows
	}
}
Object.assign(globalThis, {
	fetch: (to, options) => undici.fetch(to, { ...options, dispatcher: agent }),
	WebSocket: DoorSocket, FormData: undici.FormData, Headers: undici.Headers, Response: undici.Response,
	CloseEvent: undici.CloseEvent,
});
console.log = console.warn = console.error; // standard output is the driver's

const require = createRequire(import.meta.url);
const sum = bytes => createHash("sha256").update(bytes).digest("hex");
const heard = [];

async function until(condition, what) {
	for (const end = Date.now() + 20000; !condition(); ) {
		if (Date.now() > end)
			throw new Error(`in vain: ${what}`);
		await new Promise(go => setTimeout(go, 10));
	}
}

function file(size) {
	const bytes = Buffer.alloc(size);
	for (let i = 0; i + 4 <= size; i += 4096)
		bytes.writeUInt32LE(i, i);
	return bytes;
}

const libraries = {
	mattermost() {
		const { Client4, WebSocketClient } = require("@mattermost/client");
		const rest = new Client4();
		rest.setUrl(url);
		rest.setToken("the token");
		let socket;
		return {
			ping: () => rest.ping(true),
			me: () => rest.getMe(),
			async upload({ size }) {
				const bytes = file(size), form = new FormData();
				form.append("channel_id", "hall");
				form.append("files", new Blob([bytes]), "plan.bin");
				const answer = await rest.uploadFile(form);
				return answer.file_infos[0].id === sum(bytes) && answer.file_infos[0].size === size;
			},
			async connect() {
				socket = new WebSocketClient({ minWebSocketRetryTime: 50, reconnectJitterRange: 1 });
				socket.addMessageListener(message => heard.push(message));
				socket.addMissedMessageListener(() => {});
				socket.initialize(`${rest.getWebSocketUrl()}`, "the token");
				await until(() => heard.some(one => one.event === "hello"), "hello");
				return heard.find(one => one.event === "hello").data;
			},
			async talk({ text }) {
				await rest.createPost({ channel_id: "hall", message: text });
				await until(() => heard.some(one => one.event === "posted" && JSON.parse(one.data.post).message === text), text);
				return true;
			},
		};
	},
	rocketchat() {
		const { DDPSDK } = require("@rocket.chat/ddp-client");
		const sdk = DDPSDK.create(url, { retryCount: 1000, retryTime: 50 });
		return {
			ping: () => sdk.rest.get("/info"),
			me: () => sdk.rest.get("/v1/me"),
			async upload({ size }) {
				const bytes = file(size), form = new FormData(); // of an object this version makes an empty form
				form.append("file", new File([bytes], "plan.bin"));
				const answer = await sdk.rest.post("/v1/rooms.media/HALL", form);
				return answer.file.sum === sum(bytes) && answer.file.size === size;
			},
			async connect() {
				sdk.connection.on("disconnected", () => sdk.connection.connectPromise.catch(() => {}));
				await sdk.connection.connect();
				await sdk.account.loginWithToken("the token");
				const stream = sdk.stream("room-messages", "HALL", message => heard.push(message));
				await stream.ready();
				return sdk.call("whoami");
			},
			async talk({ text }) {
				await sdk.call("sendMessage", { rid: "HALL", msg: text });
				await until(() => heard.some(one => one.msg === text), text);
				return await sdk.call("echo", "x".repeat(300000)).then(words => words.length === 300000);
			},
			unknown: () => sdk.call("no.such.method").catch(error => error),
		};
	},
};

const library = libraries[kind]();
const verbs = {
	...library,
	sockets: () => sockets,
	async fetch({ path, fields }) {
		const answer = await fetch(url + path, { headers: fields });
		const bytes = Buffer.from(await answer.arrayBuffer());
		return { status: answer.status, size: bytes.length, text: bytes.subarray(0, 2000).toString() };
	},
	async refused({ times }) {
		await until(() => sockets.tried >= times, `${times} tries to connect`);
		return sockets;
	},
	async closed() {
		await until(() => sockets.closes.length > 0, "the socket closes");
		return sockets;
	},
};

function plainly(error) {
	if (error instanceof undici.Response)
		return error.text().then(text => ({ status: error.status, text, type: error.headers.get("content-type") }));
	return { message: String(error?.message ?? error), ...error, cause: String(error?.cause ?? "") };
}

process.stdout.write('{"value":"ready"}\n');
for await (const line of readline.createInterface({ input: process.stdin })) {
	const words = JSON.parse(line);
	let answer;
	try {
		answer = { value: await verbs[words.do](words) ?? null };
	} catch (error) {
		answer = { error: await plainly(error) };
	}
	process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
