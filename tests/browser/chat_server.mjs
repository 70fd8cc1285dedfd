// chat_server.mjs mattermost|rocketchat PORT: what the two servers say to their own client libraries, as far as the
// libraries need it. It reads identity headers as the real servers do, keeps what it was sent, and trusts the door.
//
// GET /seen: each request so far: {method, path, version, fields: [[name, value], ..]}, WebSocket upgrades included.
import http from "node:http";
import { createHash } from "node:crypto";
import { WebSocketServer } from "ws";

const [kind, port] = process.argv.slice(2);
const seen = [];
const sockets = new Set();

function keep(request) {
	const fields = [];
	for (let i = 0; i < request.rawHeaders.length; i += 2)
		fields.push([request.rawHeaders[i].toLowerCase(), request.rawHeaders[i + 1]]);
	seen.push({ method: request.method, path: request.url, version: request.httpVersion, fields });
}

function first(request, name) {
	for (let i = 0; i < request.rawHeaders.length; i += 2)
		if (request.rawHeaders[i].toLowerCase() === name)
			return request.rawHeaders[i + 1];
	return "";
}

// Mattermost's CheckForClientSideCert: the first field of that name, cut at "/", then at "=", two parts exactly.
function emailOfSubject(request) {
	let email = "";
	for (const part of first(request, "x-ssl-client-cert-subject-dn").split("/")) {
		const [name, value, ...more] = part.split("=");
		if (name === "emailAddress" && value !== undefined && more.length === 0)
			email = value;
	}
	return email;
}

const who = request => ({ certificate: emailOfSubject(request), person: first(request, "x-chatelaine-person"),
	device: first(request, "x-chatelaine-device") });

function answer(response, status, words) {
	const text = JSON.stringify(words);
	response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
	response.end(text);
}

// The sum of the one file in a multipart form, however long.
function sumOfForm(request) {
	return new Promise((done, fail) => {
		const mark = Buffer.from(`\r\n--${/boundary="?([^";]+)/.exec(request.headers["content-type"])[1]}`);
		const pieces = [];
		request.on("data", piece => pieces.push(piece));
		request.on("error", fail);
		request.on("end", () => {
			const form = Buffer.concat(pieces);
			const name = form.indexOf('filename="');
			const from = form.indexOf("\r\n\r\n", name) + 4;
			const file = form.subarray(from, form.indexOf(mark, from));
			done({ size: file.length, sum: createHash("sha256").update(file).digest("hex") });
		});
	});
}

async function json(request) {
	let text = "";
	for await (const piece of request)
		text += piece;
	return JSON.parse(text || "{}");
}

const BULK = Buffer.alloc(3 << 20, "a file of the chat ");

const routes = {
	mattermost: {
		"GET /api/v4/system/ping": (request, response) => answer(response, 200, { status: "OK" }),
		"GET /api/v4/users/me": (request, response) =>
			answer(response, 200, { id: "me", email: emailOfSubject(request), ...who(request) }),
		"POST /api/v4/files": async (request, response) => {
			const file = await sumOfForm(request);
			answer(response, 201, { file_infos: [{ id: file.sum, size: file.size }] });
		},
		"POST /api/v4/posts": async (request, response) => {
			const post = { ...await json(request), id: "post", user_id: "me", root_id: "" };
			for (const socket of sockets)
				socket.event("posted", { post: JSON.stringify(post) });
			answer(response, 201, post);
		},
	},
	rocketchat: {
		"GET /api/info": (request, response) => answer(response, 200, { version: "8.1", success: true }),
		"GET /api/v1/me": (request, response) => answer(response, 200, { success: true, _id: "me", ...who(request),
			token: first(request, "x-auth-token"), proxied: first(request, "x-nginx-proxy") }),
		"POST /api/v1/rooms.media/HALL": async (request, response) =>
			answer(response, 200, { success: true, file: await sumOfForm(request) }),
	},
}[kind];

const server = http.createServer(async (request, response) => {
	const path = request.url.split("?")[0];
	if (path === "/seen")
		return answer(response, 200, seen);
	keep(request);
	if (path === "/bulk") {
		response.writeHead(200, { "Content-Length": BULK.length });
		return response.end(BULK);
	}
	const route = routes[`${request.method} ${path}`];
	if (!route)
		return answer(response, 404, { message: `no ${request.method} ${path}` });
	await route(request, response);
});

// Mattermost: hello after the challenge; each answer carries the number of what it answers.
function mattermostSocket(socket, request) {
	let number = 0;
	socket.event = (event, data) => socket.send(JSON.stringify({ event, data, broadcast: {}, seq: number++ }));
	socket.on("message", text => {
		const said = JSON.parse(text);
		if (said.action === "authentication_challenge") {
			if (said.data.token !== "the token")
				return socket.close(4001);
			socket.send(JSON.stringify({ status: "OK", seq_reply: said.seq }));
			return socket.event("hello", { connection_id: "one", server_hostname: "stand-in", ...who(request) });
		}
		socket.send(JSON.stringify({ status: "OK", data: { text: "pong" }, seq_reply: said.seq }));
	});
}

// Rocket.Chat: DDP 1 as Meteor says it, with the odd first message that clients ignore.
function rocketchatSocket(socket, request) {
	const say = words => socket.send(JSON.stringify(words));
	const methods = {
		login: ([{ resume }]) => ({ id: "me", token: resume, tokenExpires: { $date: 4e12 } }),
		whoami: () => who(request),
		echo: ([words]) => words,
		sendMessage: ([message]) => {
			for (const other of sockets)
				other.event(message);
			return message;
		},
	};
	const subscribed = new Set();
	socket.event = message => subscribed.has(`stream-room-messages ${message.rid}`) && say({ msg: "changed",
		collection: "stream-room-messages", id: "id", fields: { eventName: message.rid, args: [message] } });
	say({ server_id: "0" });
	socket.on("message", text => {
		const said = JSON.parse(text);
		if (said.msg === "connect")
			say({ msg: "connected", session: "session" });
		else if (said.msg === "ping")
			say({ msg: "pong" });
		else if (said.msg === "sub") {
			subscribed.add(`${said.name} ${said.params[0]}`);
			say({ msg: "ready", subs: [said.id] });
		} else if (said.msg === "method") {
			const method = methods[said.method];
			say({ msg: "result", id: said.id, ...(method ? { result: method(said.params) } :
				{ error: { error: 404, reason: `Method '${said.method}' not found` } }) });
			say({ msg: "updated", methods: [said.id] });
		}
	});
}

const places = { mattermost: ["/api/v4/websocket", mattermostSocket], rocketchat: ["/websocket", rocketchatSocket] };
const [place, serve] = places[kind];
const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: true });

server.on("upgrade", (request, plain, head) => {
	keep(request);
	if (request.url.split("?")[0] !== place)
		return plain.destroy();
	upgrades.handleUpgrade(request, plain, head, socket => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
		socket.on("error", () => sockets.delete(socket));
		serve(socket, request);
	});
});
server.listen(Number(port), "127.0.0.1");
