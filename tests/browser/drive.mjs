// drive.mjs chromium|firefox PROFILE: one real browser, driven line by line.
//
// Reads {"do": VERB, ...} a line on standard input and answers {"value": ..} or {"error": ..} a line on standard
// output. The browser finds its certificates in its own NSS store, which the caller has filled; nothing here tells it
// about TLS. Ends, with the browser, when standard input does.
import readline from "node:readline";

const [kind, profile] = process.argv.slice(2);
const PATIENCE = 20000;

const starters = {
	async chromium() {
		const { chromium } = await import("playwright-core");
		const context = await chromium.launchPersistentContext(profile, {
			executablePath: "/usr/bin/chromium", headless: true, viewport: { width: 1100, height: 850 },
			args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--password-store=basic"],
		});
		return { page: context.pages()[0], end: () => context.close() };
	},
	async firefox() {
		const { default: puppeteer } = await import("puppeteer-core");
		const browser = await puppeteer.launch({
			browser: "firefox", executablePath: "/usr/bin/firefox-esr", headless: true, userDataDir: profile,
			defaultViewport: null,
			extraPrefsFirefox: {
				"security.default_personal_cert": "Select Automatically",
				"network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false,
				"security.OCSP.enabled": 0,
			},
		});
		const page = (await browser.pages())[0];
		await page.setViewport({ width: 1100, height: 850 });
		return { page, end: () => browser.close() };
	},
};

const { page, end } = await starters[kind]();

const verbs = {
	async goto({ url }) {
		const answer = await page.goto(url, { timeout: PATIENCE });
		return { status: answer.status(), text: await answer.text() };
	},
	async reload() {
		const answer = await page.reload({ timeout: PATIENCE });
		return { status: answer.status(), text: await answer.text() };
	},
	evaluate: ({ script }) => page.evaluate(script),
	async wait({ script }) {
		// Not waitForFunction: that evaluates inside the page, where the page's own content policy forbids it.
		for (const end = Date.now() + PATIENCE; ;) {
			const value = await page.evaluate(script);
			if (value)
				return value;
			if (Date.now() > end)
				throw new Error(`in vain: ${script}; the page says: ${await page.evaluate("document.body.innerText")}`);
			await new Promise(go => setTimeout(go, 20));
		}
	},
	async fill({ selector, text }) {
		await page.waitForSelector(selector, { timeout: PATIENCE });
		await page.focus(selector);
		await page.keyboard.type(text);
	},
	press: ({ key }) => page.keyboard.press(key),
	async click({ selector }) {
		await page.waitForSelector(selector, { timeout: PATIENCE });
		await page.click(selector);
	},
	async upload({ selector, file }) {
		const input = await page.$(selector);
		await (kind === "chromium" ? input.setInputFiles(file) : input.uploadFile(file));
	},
	async screenshot({ file }) {
		await page.screenshot({ path: file });
	},
};

const answer = words => process.stdout.write(JSON.stringify(words) + "\n");
answer({ value: "ready" });
for await (const line of readline.createInterface({ input: process.stdin })) {
	const words = JSON.parse(line);
	try {
		answer({ value: (await verbs[words.do](words)) ?? null });
	} catch (error) {
		answer({ error: String(error.message) });
	}
}
await end();
