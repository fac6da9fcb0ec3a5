// The sandbox's ledger: every request it got, what was charged and refunded, and where a caller broke the contract.
// Tests take it as what really happened, whatever the caller believes.
import { EventEmitter, once } from 'node:events';

import type { ApiVersion } from './contract.cjs';

/** What is written down of every request. `at`: arrival, in milliseconds since 1970. */
interface Entry {
	at: number;
	/** Path and query as received. */
	url: string;
	/** `main` or `other`; null without a valid key. */
	account: string | null;
	/** Header names in lower case; the API key is replaced by the name of its account. */
	headers: Record<string, string>;
	/** The kind of the fault that was applied. */
	fault: string | null;
	/** HTTP status of the response; null when none was given (reset, hang). */
	answered: number | null;
}

interface ApiEntry extends Entry {
	/** The version whose address was called. */
	version: ApiVersion;
	taskId: string | null;
	/** Departures from the contract that the API lets pass. */
	breaches: string[];
}

/** One `POST /generate`, accepted or not. */
export interface PostEntry extends ApiEntry {
	index: number;
	rawBody: Buffer;
	body: string;
	/** The parsed body; undefined when it is not JSON. */
	json: unknown;
	/** True when a task was created and charged, whether or not the caller knows. */
	accepted: boolean;
	charged: number;
	/** Credits given back because the task failed. */
	refunded: number;
	/** Keys that the contract of its version does not have. */
	unknownFields: string[];
}

export interface StatusRead extends ApiEntry {
	/** The status word that was shown; null when none was. */
	shown: string | null;
	/** The response held the URL of a video. */
	showsVideo: boolean;
}

export interface VideoRead extends Entry {
	taskId: string;
	/** Bytes of the body handed to the connection. */
	bytes: number;
	complete: boolean;
}

export interface Charge {
	at: number;
	taskId: string;
	version: ApiVersion;
	/** The model that version 2 was asked for; null in version 1. */
	model: string | null;
	account: string;
	credits: number;
	refunded: number;
	/** `index` of the POST that caused it; null for tasks that a test created directly. */
	post: number | null;
	body: string;
}

export interface Account {
	name: 'main' | 'other';
	apiKey: string;
	balance: number;
}

interface Chargeable extends Pick<Charge, 'credits' | 'version' | 'model'> {
	id: string;
	account: Account;
}

export class Ledger {
	readonly statusEntries: StatusRead[] = [];
	readonly videoEntries: VideoRead[] = [];
	/** The API key seen where it does not belong: `video`, `other origin`, `url`, `body` or `header <name>`. */
	readonly keyLeaks: Array<{ at: number; where: string; url: string }> = [];
	private readonly postEntries: PostEntry[] = [];
	private readonly chargeEntries: Charge[] = [];
	private readonly changes = new EventEmitter().setMaxListeners(0);

	constructor(private readonly accounts: Readonly<Record<Account['name'], Account>>) {}

	get balance(): number {
		return this.accounts.main.balance;
	}

	set balance(credits: number) {
		this.accounts.main.balance = credits;
	}

	posts(): readonly PostEntry[] {
		return this.postEntries;
	}

	charges(): readonly Charge[] {
		return this.chargesOf('main');
	}

	chargesOf(account: Account['name']): readonly Charge[] {
		return this.chargeEntries.filter((charge) => charge.account === account);
	}

	/** Credits taken from the main account less those given back. */
	get spent(): number {
		return this.charges().reduce((sum, charge) => sum + charge.credits - charge.refunded, 0);
	}

	statusReads(taskId?: string): readonly StatusRead[] {
		return this.statusEntries.filter((read) => (taskId ?? read.taskId) === read.taskId);
	}

	videoReads(taskId?: string): readonly VideoRead[] {
		return this.videoEntries.filter((read) => (taskId ?? read.taskId) === read.taskId);
	}

	chargesPerBody(): Map<string, number> {
		const counts = new Map<string, number>();
		for (const { body } of this.charges()) counts.set(body, (counts.get(body) ?? 0) + 1);
		return counts;
	}

	postsWithPrompt(prompt: string): number {
		return this.postEntries.filter(({ json }) => Object(json).prompt === prompt).length;
	}

	/** Bodies that were charged more than once. */
	doubleCharges(): string[] {
		return [...this.chargesPerBody()].filter(([, count]) => count > 1).map(([body]) => body);
	}

	/** All departures from the contract, of POSTs and of reads. */
	breaches(): string[] {
		return [...this.postEntries, ...this.statusEntries].flatMap((entry) => entry.breaches);
	}

	/** Resolves as soon as `test` holds, which is asked again at each new entry; rejects after `timeoutMs` milliseconds. */
	async until(test: (ledger: Ledger) => boolean, timeoutMs = 10_000): Promise<void> {
		const signal = AbortSignal.timeout(timeoutMs);
		while (!test(this)) {
			await once(this.changes, 'change', { signal }).catch(() => {
				throw new Error(`The sandbox's ledger did not get there within ${timeoutMs} ms`);
			});
		}
	}

	/** The ledger as plain data for another process, without any API key. Bodies are text. */
	snapshot(): Record<string, unknown> {
		const { balance, spent, statusEntries: statusReads, videoEntries: videoReads, keyLeaks } = this;
		const posts = this.postEntries.map(({ rawBody: _bytes, ...entry }) => entry);
		const [charges, breaches] = [this.charges(), this.breaches()];
		const all = { balance, spent, posts, charges, statusReads, videoReads, keyLeaks, breaches };
		return JSON.parse(this.redact(JSON.stringify(all)));
	}

	/** The text with each API key replaced by `<key of main>` or `<key of other>`. */
	redact(text: string): string {
		return Object.values(this.accounts).reduce(
			(redacted, { apiKey, name }) => redacted.replaceAll(apiKey, `<key of ${name}>`),
			text,
		);
	}

	recordPost(entry: Omit<PostEntry, 'index'>): PostEntry {
		const recorded: PostEntry = { index: this.postEntries.length + 1, ...entry };
		return this.record(this.postEntries, recorded);
	}

	recordLeak(where: string, url: string): void {
		this.record(this.keyLeaks, { at: Date.now(), where, url: this.redact(url) });
	}

	/** Takes a task's credits from its account. The caller has checked the balance. */
	charge(
		{ account, id: taskId, credits, version, model }: Chargeable,
		post: PostEntry | null,
	): void {
		account.balance -= credits;
		if (post) Object.assign(post, { accepted: true, taskId, charged: credits });
		this.record(this.chargeEntries, {
			at: Date.now(),
			taskId,
			version,
			model,
			account: account.name,
			credits,
			refunded: 0,
			post: post?.index ?? null,
			body: post?.body ?? '',
		});
	}

	/** Gives a task's credits back, once. */
	refund(account: Account, taskId: string): void {
		const isOfTask = (entry: { taskId: string | null }) => entry.taskId === taskId;
		const charge = this.chargeEntries.find(isOfTask);
		if (!charge || charge.refunded > 0) return;
		account.balance += charge.credits;
		const post = this.postEntries.find(isOfTask);
		for (const entry of [charge, post]) if (entry) entry.refunded = charge.credits;
		this.changed();
	}

	/** Wakes all callers of {@link until}. */
	changed(): void {
		this.changes.emit('change');
	}

	clear(): void {
		const { postEntries, chargeEntries, statusEntries, videoEntries, keyLeaks } = this;
		for (const list of [postEntries, chargeEntries, statusEntries, videoEntries, keyLeaks]) {
			list.length = 0;
		}
	}

	record<T>(list: T[], entry: T): T {
		list.push(entry);
		this.changed();
		return entry;
	}
}
