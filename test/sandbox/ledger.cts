// The sandbox's books: every request it got, what was charged and refunded, and where a caller broke the rules.
// Tests take this as the judge of what really happened, whatever the caller believes.

/** One `POST /generate`, accepted or not. */
export interface PostEntry {
	/** 1 for the first POST. */
	index: number;
	/** Arrival, in milliseconds since 1970. */
	at: number;
	/** Path and query as received. */
	url: string;
	/** `main` or `other`; null without a valid key. */
	account: string | null;
	/** Header names in lower case; the API key is replaced by the name of its account. */
	headers: Record<string, string>;
	/** The body, byte for byte. */
	rawBody: Buffer;
	/** The body as UTF-8 text. */
	body: string;
	/** The parsed body; undefined when it is not JSON. */
	json: unknown;
	/** True when a task was created and charged, whether or not the caller was told. */
	accepted: boolean;
	taskId: string | null;
	/** Credits. */
	charged: number;
	/** Credits given back because the task failed. */
	refunded: number;
	/** Keys the contract does not know. */
	unknownFields: string[];
	/** Departures from the contract that the API lets pass. */
	breaches: string[];
	/** The kind of the fault that was applied. */
	fault: string | null;
	/** HTTP status of the answer; null when none was given (reset, hang). */
	answered: number | null;
}

/** One `GET /status`. */
export interface StatusRead {
	at: number;
	url: string;
	account: string | null;
	headers: Record<string, string>;
	taskId: string | null;
	/** The status word that was shown; null when none was. */
	shown: string | null;
	/** The answer held the URL of a video. */
	showsVideo: boolean;
	breaches: string[];
	fault: string | null;
	answered: number | null;
}

/** One download from the video host. */
export interface VideoRead {
	at: number;
	taskId: string;
	headers: Record<string, string>;
	fault: string | null;
	answered: number | null;
	/** Bytes of the body handed to the connection. */
	bytes: number;
	/** True when the whole body was sent. */
	complete: boolean;
}

/** Credits taken for one task. */
export interface Charge {
	at: number;
	taskId: string;
	account: string;
	credits: number;
	refunded: number;
	/** `index` of the POST that caused it; null for tasks a test created directly. */
	post: number | null;
	body: string;
}

/** The API key seen where it does not belong. */
export interface KeyLeak {
	at: number;
	/** `video`, `other origin`, `url`, `body` or `header <name>`. */
	where: string;
	url: string;
}

export interface Account {
	name: 'main' | 'other';
	apiKey: string;
	/** Credits left. */
	balance: number;
}

interface Watcher {
	test: () => boolean;
	done: () => void;
}

export class Ledger {
	readonly statusEntries: StatusRead[] = [];
	readonly videoEntries: VideoRead[] = [];
	readonly keyLeaks: KeyLeak[] = [];
	private readonly postEntries: PostEntry[] = [];
	private readonly chargeEntries: Charge[] = [];
	private readonly watchers = new Set<Watcher>();

	constructor(private readonly accounts: readonly Account[]) {}

	/** Credits left on the main account. */
	get balance(): number {
		return this.accountNamed('main').balance;
	}

	set balance(credits: number) {
		this.accountNamed('main').balance = credits;
	}

	/** Every POST to /generate in order of arrival. */
	posts(): readonly PostEntry[] {
		return this.postEntries;
	}

	/** Charges of the main account in order. */
	charges(): readonly Charge[] {
		return this.chargesOf('main');
	}

	/** Charges of one account in order. */
	chargesOf(account: Account['name']): readonly Charge[] {
		return this.chargeEntries.filter((charge) => charge.account === account);
	}

	/** Credits taken from the main account less those given back. */
	get spent(): number {
		return this.charges().reduce((sum, charge) => sum + charge.credits - charge.refunded, 0);
	}

	/** Status reads, of one task or of all. */
	statusReads(taskId?: string): readonly StatusRead[] {
		return this.statusEntries.filter((read) => taskId === undefined || read.taskId === taskId);
	}

	/** Downloads, of one task's video or of all. */
	videoReads(taskId?: string): readonly VideoRead[] {
		return this.videoEntries.filter((read) => taskId === undefined || read.taskId === taskId);
	}

	/** How many POSTs came with each body (byte for byte, as text). */
	postsPerBody(): Map<string, number> {
		return countBy(this.postEntries.map((post) => post.body));
	}

	/** How many tasks were charged for each body. */
	chargesPerBody(): Map<string, number> {
		return countBy(this.charges().map((charge) => charge.body));
	}

	/** How many POSTs came with this prompt. */
	postsWithPrompt(prompt: string): number {
		return this.postEntries.filter((post) => promptOf(post.json) === prompt).length;
	}

	/** How many tasks were charged for this prompt. */
	chargesWithPrompt(prompt: string): number {
		return this.postEntries.filter((post) => post.accepted && promptOf(post.json) === prompt)
			.length;
	}

	/** Bodies that were charged more than once. Empty when nobody paid twice. */
	doubleCharges(): string[] {
		return [...this.chargesPerBody()].filter(([, count]) => count > 1).map(([body]) => body);
	}

	/** All departures from the contract, of POSTs and of reads. */
	breaches(): string[] {
		return [...this.postEntries, ...this.statusEntries].flatMap((entry) => entry.breaches);
	}

	/**
	 * Resolves as soon as `test` holds, looking again at each new entry. Rejects after `timeoutMs` milliseconds, so that
	 * a test that waits for a request that never comes says so.
	 */
	async until(test: (ledger: Ledger) => boolean, timeoutMs = 10_000): Promise<void> {
		if (test(this)) return;
		await new Promise<void>((resolve, reject) => {
			const timer = setTimeout(() => {
				this.watchers.delete(watcher);
				reject(new Error(`The sandbox's ledger did not get there within ${timeoutMs} ms`));
			}, timeoutMs);
			const watcher: Watcher = {
				test: () => test(this),
				done: () => {
					clearTimeout(timer);
					this.watchers.delete(watcher);
					resolve();
				},
			};
			this.watchers.add(watcher);
		});
	}

	/** The books as plain data for another process, without any API key. Bodies are text. */
	snapshot(): Record<string, unknown> {
		const books = {
			balance: this.balance,
			spent: this.spent,
			posts: this.postEntries.map(({ rawBody, ...entry }) => ({
				...entry,
				bytes: rawBody.length,
			})),
			charges: this.charges(),
			statusReads: this.statusEntries,
			videoReads: this.videoEntries,
			keyLeaks: this.keyLeaks,
			breaches: this.breaches(),
			doubleCharges: this.doubleCharges(),
		};
		const text = this.redact(JSON.stringify(books));
		const plain: Record<string, unknown> = JSON.parse(text);
		return plain;
	}

	/** The text with each API key replaced by `<key of main>` or `<key of other>`. */
	redact(text: string): string {
		return this.accounts.reduce(
			(redacted, { apiKey, name }) => redacted.replaceAll(apiKey, `<key of ${name}>`),
			text,
		);
	}

	recordPost(entry: Omit<PostEntry, 'index'>): PostEntry {
		const recorded: PostEntry = { index: this.postEntries.length + 1, ...entry };
		this.postEntries.push(recorded);
		this.changed();
		return recorded;
	}

	recordStatusRead(entry: StatusRead): StatusRead {
		this.statusEntries.push(entry);
		this.changed();
		return entry;
	}

	recordVideoRead(entry: VideoRead): VideoRead {
		this.videoEntries.push(entry);
		this.changed();
		return entry;
	}

	recordLeak(where: string, url: string): void {
		this.keyLeaks.push({ at: Date.now(), where, url: this.redact(url) });
		this.changed();
	}

	/** Takes the credits from the account. The caller has checked the balance. */
	charge(account: Account, taskId: string, credits: number, post: PostEntry | null): void {
		account.balance -= credits;
		this.chargeEntries.push({
			at: Date.now(),
			taskId,
			account: account.name,
			credits,
			refunded: 0,
			post: post?.index ?? null,
			body: post?.body ?? '',
		});
		if (post) {
			post.accepted = true;
			post.taskId = taskId;
			post.charged = credits;
		}
		this.changed();
	}

	/** Gives a task's credits back, once. */
	refund(taskId: string): void {
		const charge = this.chargeEntries.find((each) => each.taskId === taskId);
		if (!charge || charge.refunded > 0) return;
		charge.refunded = charge.credits;
		this.accountNamed(charge.account).balance += charge.credits;
		const post = this.postEntries.find((each) => each.taskId === taskId);
		if (post) post.refunded = charge.credits;
		this.changed();
	}

	/** Tells everyone who waits in `until` that something is new. */
	changed(): void {
		for (const watcher of [...this.watchers]) if (watcher.test()) watcher.done();
	}

	clear(): void {
		this.postEntries.length = 0;
		this.chargeEntries.length = 0;
		this.statusEntries.length = 0;
		this.videoEntries.length = 0;
		this.keyLeaks.length = 0;
	}

	private accountNamed(name: string): Account {
		const account = this.accounts.find((each) => each.name === name);
		if (!account) throw new Error(`The sandbox has no account "${name}"`);
		return account;
	}
}

function promptOf(json: unknown): unknown {
	return typeof json === 'object' && json !== null && 'prompt' in json ? json.prompt : undefined;
}

function countBy(keys: string[]): Map<string, number> {
	const counts = new Map<string, number>();
	for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
	return counts;
}
