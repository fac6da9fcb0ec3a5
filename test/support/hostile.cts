// What a hostile or broken sender may deliver to a trigger's URL, as arbitraries of fast-check: each delivery carries the
// statuses that it may get by the design. Signing is implemented again here, from the design, and not taken from the nodes.
// Lists of odd values are in test/fixtures/hostile.json.
import { createHash, createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';

import lists from '../fixtures/hostile.json';
import { keysOf } from '../sandbox/contract.cjs';
import fc, { type Arbitrary } from './fastCheck.cjs';

/** What there is for an attack: keys to sign with, and tasks to name. */
export interface Ground {
	apiKey: string;
	/** Another account's key. */
	otherKey: string;
	/** Tasks of the account that have ended, which a delivery that is let in would start a run for. */
	ended: readonly string[];
	/** Another account's tasks. */
	foreign: readonly string[];
}

type Headers = Record<string, string | string[]>;

/** What is sent. */
interface Sent {
	method: string;
	/** As it is sent, without the question mark. */
	query: string;
	headers: Headers;
	body: Buffer | null;
}

export interface HostileDelivery extends Sent {
	/** What is wrong with it. */
	label: string;
	/** The HTTP statuses that the response may have. */
	statuses: readonly number[];
	/** n8n responds by itself, before the trigger is asked. */
	byN8n: boolean;
	/** The genuine signatures that it holds, or nearly holds. */
	signatures: readonly string[];
}

export interface HttpResponse {
	status: number;
	headers: NodeJS.Dict<string | string[]>;
	body: string;
}

// ---- signing and sending -----------------------------------------------------------------------------------------

const base64url = (text: string) => Buffer.from(text).toString('base64url');

/** The signature that the design prescribes for a metadata text. */
export function sign(meta: string, apiKey: string): string {
	const key = createHmac('sha256', apiKey.trim()).update('n8n-nodes-seedance/callback').digest();
	return createHmac('sha256', key).update(`v1\n${meta}`).digest('base64url');
}

/** The query of a genuine callback URL, with metadata or without. */
export function signedQuery(apiKey: string, metadata?: unknown): string {
	const meta = metadata === undefined ? '' : base64url(JSON.stringify(metadata));
	const proof = `seedance_sig=${sign(meta, apiKey)}`;
	return meta ? `seedance_meta=${meta}&${proof}` : proof;
}

/**
 * A connection for each delivery: one that was idle for 5 s is closed by Node's servers, perhaps just when the next delivery
 * is sent over it. It still asks to be kept, because a server that closes at once cuts off bodies that it has not read.
 */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
agent.maxFreeSockets = 0;

/** Milliseconds after which it is clear that there will be no response: twice as long as a trigger may take. */
const TIMEOUT_MS = 20_000;

/** Sends a delivery to a trigger's URL, byte for byte. Rejects when there is no response. */
export async function send(
	url: string,
	{ method = 'POST', query = '', headers = {}, body = null }: Partial<Sent>,
	signal?: AbortSignal,
): Promise<HttpResponse> {
	const length = body && !('transfer-encoding' in headers) && { 'content-length': body.length };
	const options = {
		method,
		agent,
		signal,
		timeout: TIMEOUT_MS,
		headers: { ...headers, ...length },
	};
	return await new Promise((resolve, reject) => {
		const sent = request(query ? `${url}?${query}` : url, options, (response) => {
			const { statusCode: status = 0, headers: answered } = response;
			buffer(response).then(
				(bytes) => resolve({ status, headers: answered, body: bytes.toString('latin1') }),
				reject,
			);
		});
		sent.once('error', reject);
		sent.once('timeout', () => sent.destroy(new Error('There was no response')));
		sent.end(body ?? undefined);
	});
}

/** Ends the connections that are kept for the next delivery. */
export function hangUp(): void {
	agent.destroy();
}

/** What is wrong with the response to a delivery: another status than due, or more said than that it was refused. */
export function wrongWith(
	{ statuses, byN8n, signatures }: Pick<HostileDelivery, 'statuses' | 'byN8n' | 'signatures'>,
	{ status, headers, body }: HttpResponse,
	secrets: readonly string[],
): string[] {
	const problems: string[] = [];
	if (!statuses.includes(status)) problems.push(`it got ${status}: ${body.slice(0, 200)}`);
	// A trigger says in one sentence what is wrong, and nothing else.
	if (!byN8n && !/^\{"message":"[^"]{1,100}"\}$/.test(body)) {
		problems.push(`its body says ${body.slice(0, 200)}`);
	}
	const all = `${JSON.stringify(headers)}${body}`;
	const leaked = [...secrets, ...signatures].filter((secret) => all.includes(secret));
	if (leaked.length) problems.push(`the response holds ${leaked.join(', ')}`);
	return problems;
}

const JSON_TYPE = 'application/json';

/** A JSON body, sent with POST. */
export function json(value: unknown): Omit<Sent, 'query'> {
	const body = Buffer.from(JSON.stringify(value));
	return { method: 'POST', headers: { 'content-type': JSON_TYPE }, body };
}

// ---- reports: a delivery about one task, in the shapes that senders use ------------------------------------------

/** What a delivery says of a task. */
interface Claim {
	word: string;
	videoUrl: string;
	prompt: string;
}

type Data = Claim & { id: string; data: object };

const typed = (type: string, body: string): Omit<Sent, 'query'> => ({
	method: 'POST',
	headers: { 'content-type': type },
	body: Buffer.from(body),
});
const byQuery = (method: string) => (): Omit<Sent, 'query'> => ({
	method,
	headers: {},
	body: null,
});

const SHAPES = {
	envelope: ({ data }: Data) => json({ code: 200, message: 'success', data }),
	data: ({ data }: Data) => json(data),
	neighbour: ({ id: taskId, word: state, videoUrl }: Data) => {
		const resultJson = JSON.stringify({ resultUrls: [videoUrl] });
		return json({ code: 200, msg: 'success', data: { taskId, state, resultJson } });
	},
	'camel case': ({ id: taskId, word: state, videoUrl }: Data) => json({ taskId, state, videoUrl }),
	'json as text': ({ data }: Data) => typed('text/plain', JSON.stringify({ code: 200, data })),
	'data as text': ({ data }: Data) => json({ code: 200, data: JSON.stringify(data) }),
	form: ({ id: task_id, word: status, videoUrl: response }: Data) =>
		typed(
			'application/x-www-form-urlencoded; charset=utf-8',
			new URLSearchParams({ task_id, status, response }).toString(),
		),
	get: byQuery('GET'),
	query: byQuery('POST'),
};

export interface Report extends Claim {
	shape: keyof typeof SHAPES;
}

const hasNoBody = (shape: keyof typeof SHAPES) => shape === 'get' || shape === 'query';

/** Reports of an end, in every shape. */
export const reports: Arbitrary<Report> = fc.record({
	shape: fc.constantFrom(...keysOf(SHAPES)),
	word: fc.constantFrom(...lists.endWords),
	videoUrl: fc.webUrl({ withQueryParameters: true }),
	prompt: fc.string({ unit: 'grapheme' }),
});
/** Reports that claim an end in words. */
export const claims = reports.filter(({ shape }) => !hasNoBody(shape));

/** The delivery of a report about a task, with a query that proves it or does not. */
export function reportOf(id: string, { shape, ...report }: Report, query: string): Sent {
	const data = {
		task_id: id,
		status: report.word,
		consumed_credits: 0,
		request: { prompt: report.prompt },
		response: [report.videoUrl],
		video_url: report.videoUrl,
		error_message: report.prompt,
		metadata: { row: 'forged' },
	};
	const sent = SHAPES[shape]({ ...report, id, data });
	return { query: hasNoBody(shape) ? `${query}&${idQuery(id)}` : query, ...sent };
}

// ---- task ids ----------------------------------------------------------------------------------------------------

/** Cut where Node takes no longer address. */
const idQuery = (taskId: string) => `task_id=${encodeURIComponent(taskId.slice(0, 1_000))}`;

/** Ids that look like one, and that nobody has. */
const unknownIds = fc.nat({ max: 2 ** 31 - 1 }).map((n) => `seed15${n.toString(16)}0123456789pro`);

/** Ids that are nearly those of a task, or try to be more than an id. */
const nearlyIds = (ids: readonly string[]): Arbitrary<string> =>
	fc
		.tuple(fc.constantFrom(...ids), unknownIds)
		.chain(([id, other]) =>
			fc.constantFrom(
				...[`${id}x`, id.slice(0, -1), `x${id}`, id.toUpperCase(), `${id},${id}`],
				...[`${other}&task_id=${id}`, `${other}#${id}`, `${id}%00`, `${id}%20`],
				...[`../status?task_id=${id}`, `${id}/../${id}`, `http://127.0.0.1/${id}`],
			),
		);

/** Texts that are no task's id, and dangerous where they are used as one. */
const oddIds = fc.oneof(
	fc.constantFrom(...lists.oddIds),
	fc.constantFrom('🎬'.repeat(60), 'x'.repeat(200), 'x'.repeat(201), 'x'.repeat(100_000)),
	fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
	fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
);

// ---- bodies ------------------------------------------------------------------------------------------------------

/** The part of a delivery that proves nothing. */
interface Payload extends Omit<Sent, 'query'> {
	label: string;
	/** Added to the query. */
	query?: string;
	/** The statuses of n8n's own response where it cannot read the body; empty where it can. */
	refused: readonly number[];
}

type Template = Partial<Record<'type' | 'method' | 'packing' | 'body', string>> & { label: string };
/** Bodies that name a task, hold odd JSON or both, in no known form. */
const BODIES: readonly Template[] = lists.bodies;
const PACKED: Readonly<Record<string, Partial<Payload>>> = {
	gzip: { headers: { 'content-encoding': 'gzip' } },
	chunked: { headers: { 'transfer-encoding': 'chunked' } },
};

function payload(
	label: string,
	type: string | null | undefined,
	body: string | Buffer | null,
	{ headers, ...more }: Partial<Payload> = {},
): Payload {
	return {
		label,
		method: 'POST',
		headers: { ...(type && { 'content-type': type }), ...headers },
		body: typeof body === 'string' ? Buffer.from(body) : body,
		refused: [],
		...more,
	};
}

/** Puts values in the place of their `{names}`. */
const filled = (template: string, values: Readonly<Record<string, string>>) =>
	template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);

/** JSON texts in which the places that are read hold unexpected values, `__proto__` and doubled keys as well. */
function oddJson(ids: Arbitrary<string>): Arbitrary<string> {
	return fc.letrec<{ tree: string }>((tie) => {
		const entry = fc.tuple(fc.constantFrom(...lists.fields), tie('tree'));
		return {
			tree: fc.oneof(
				{ maxDepth: 3 },
				fc.oneof(
					ids.map((id) => JSON.stringify(id)),
					fc.constantFrom(...lists.jsonLeaves),
					fc.double().map((number) => JSON.stringify(number)),
					fc.json({ maxDepth: 2 }),
				),
				fc
					.array(entry, { maxLength: 6 })
					.map((all) => `{${all.map(([key, value]) => `${JSON.stringify(key)}:${value}`)}}`),
				fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items}]`),
			),
		};
	}).tree;
}

const bytes = fc
	.uint8Array({ maxLength: 300 })
	.map((some) => Buffer.concat([Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0xc3]), some]));

const MB = 1024 * 1024;
const HEAVY: ReadonlyArray<(mb: number) => Payload> = [
	(mb) => payload(`JSON of ${mb} MB`, JSON_TYPE, `{"data":"${'x'.repeat(mb * MB)}"}`),
	(mb) => payload(`a key of ${mb} MB`, JSON_TYPE, `{"${'x'.repeat(mb * MB)}":1}`),
	(mb) => payload(`a list of ${mb} MB`, JSON_TYPE, `[${'0,'.repeat(mb * 500_000)}0]`),
	(mb) => payload(`${mb} MB of bytes`, 'application/octet-stream', Buffer.alloc(mb * MB, 0xff)),
	() => payload('10 MB packed', JSON_TYPE, gzipSync(`"${'x'.repeat(10 * MB)}"`), PACKED.gzip),
];

/** Bodies that n8n reads, or has no reader for. `ids` are what they name. One in 150 has some megabytes. */
function readable(ids: Arbitrary<string>): Arbitrary<Payload> {
	const fields = fc.constantFrom(...lists.fields.filter((name) => name !== 'task_id'));
	const templates = fc
		.tuple(fc.constantFrom(...BODIES), ids, fields, oddJson(ids))
		.map(([{ label, type, method = 'POST', packing = '', body }, id, field, odd]) => {
			const texts = { idText: JSON.stringify(id), oddText: JSON.stringify(odd) };
			const values = { field, odd, id: encodeURIComponent(id), ...texts };
			if (body === undefined) return payload(label, null, null, { query: idQuery(id) });
			const text = filled(body, values);
			const sent = packing === 'gzip' ? gzipSync(text) : text;
			return payload(label, type, sent, { method, ...PACKED[packing] });
		});
	const deep = fc.tuple(fc.constantFrom(100, 1_000, 10_000), ids).map(([depth, id]) => {
		const [open, close, core] = ['{"data":[', ']}', JSON.stringify({ task_id: id })];
		const text = open.repeat(depth) + core + close.repeat(depth);
		return payload(`JSON of ${2 * depth} levels`, JSON_TYPE, text);
	});
	const light = fc.oneof(
		{ weight: 14, arbitrary: templates },
		fc.tuple(ids, reports).map(([id, report]) => ({
			...{ label: `report (${report.shape})`, refused: [] },
			...reportOf(id, report, ''),
		})),
		fc
			.tuple(fc.constantFrom(...lists.byteTypes), bytes)
			.map(([type, body]) => payload(`bytes as "${type}"`, type, body)),
		deep,
	);
	const heavy = fc
		.tuple(fc.constantFrom(...HEAVY), fc.integer({ min: 1, max: 4 }))
		.map(([make, mb]) => make(mb));
	return fc.oneof({ arbitrary: light, weight: 150 }, { arbitrary: heavy, weight: 1 });
}

/** Bodies that n8n cannot read, and the response that it gives before the trigger is asked. */
const unreadable: Arbitrary<Payload> = fc.oneof(
	fc
		.constantFrom(...lists.unreadable)
		.map(([label, type, text]) => payload(label, type, text, { refused: [422] })),
	bytes.map((body) => payload('bytes as JSON', JSON_TYPE, body, { refused: [422] })),
	fc.tuple(fc.constantFrom('gzip', 'deflate'), bytes).map(([packing, body]) =>
		payload(`not really ${packing}`, JSON_TYPE, body, {
			headers: { 'content-encoding': packing },
			refused: [400, 413, 422, 500],
		}),
	),
	bytes.map((body) =>
		payload('broken multipart form', 'multipart/form-data', body, { refused: [400, 500] }),
	),
);

// ---- queries: proofs that do not hold ----------------------------------------------------------------------------

interface Proof {
	/** What is wrong with it. */
	label: string;
	query: string;
	headers?: Record<string, string>;
	/** Genuine ones that are in it, or that it is made from. */
	signatures: readonly string[];
}

/** As base64url counts them. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Texts that a key owner never gave as the signature of this metadata; `at`, `digit` and `text` are any. */
function wrongSignatures(
	meta: string,
	{ apiKey, otherKey }: Ground,
	{ at, digit, text }: { at: number; digit: string; text: string },
): Record<string, string[]> {
	const good = sign(meta, apiKey);
	const raw = Buffer.from(good, 'base64url');
	const hmac = (hash: string, given: string) =>
		createHmac(hash, apiKey).update(given).digest('base64url').slice(0, 43);
	const hashOf = (given: string) => createHash('sha256').update(given);
	const keys = [otherKey, '', `${apiKey}x`, apiKey.slice(0, -1), apiKey.toUpperCase()];
	return {
		cut: [good.slice(0, at), good.slice(at + 1)],
		lengthened: [`${good}${text}x`],
		'one letter changed': [good.slice(0, at) + digit + good.slice(at + 1)],
		// The last digit of 43 holds four bits: three others mean the same bytes.
		'the same bytes': [1, 2, 3].map((bits) => {
			return good.slice(0, 42) + DIGITS[DIGITS.indexOf(good[42]) ^ bits];
		}),
		're-encoded': [
			...[good.toUpperCase(), good.toLowerCase(), [...good].reverse().join(''), base64url(good)],
			...[raw.toString('base64'), raw.toString('hex'), raw.toString('latin1')],
			encodeURIComponent(good.replace(/./g, (c) => `%${c.charCodeAt(0)}`)),
		],
		'made up': [text, base64url(text.padEnd(32, digit)).slice(0, 43)],
		'made with another key': keys.map((key) => sign(meta, key)),
		'made in another way': [
			...[hmac('sha256', meta), hmac('sha256', `v1\n${meta}`), hmac('sha512', `v1\n${meta}`)],
			...[`\n${meta}`, `${meta}\n`, `v1\n${meta}`, text].map((given) => sign(given, apiKey)),
			hashOf(`v1\n${meta}`).digest('base64url'),
			sign(meta, hashOf(apiKey).digest('hex')),
		],
	};
}

/** Queries without a signature that the account gave for that metadata. */
export function forgedProofs(ground: Ground): Arbitrary<Proof> {
	const { apiKey } = ground;
	const values = fc.record({
		metadata: fc.record({ row: fc.nat(), name: fc.string({ maxLength: 30 }) }),
		at: fc.nat({ max: 42 }),
		digit: fc.constantFrom(...DIGITS),
		text: fc.string({ minLength: 1, maxLength: 60 }),
		nth: fc.nat(),
	});
	return values.chain(({ metadata, nth, ...random }) => {
		const text = JSON.stringify(metadata);
		const meta = base64url(text);
		const m = `seedance_meta=${meta}`;
		const [good, bare] = [sign(meta, apiKey), sign('', apiKey)];
		const other = sign(base64url('{"row":0}'), apiKey);
		const blanks = base64url(` ${text}`);
		const names = { m, meta, good, bare, other, blanks, cut: meta.slice(0, -1) };
		const proof = (label: string, query: string, headers: object = {}): Proof => ({
			label,
			query: filled(query, names),
			headers: JSON.parse(filled(JSON.stringify(headers), names)),
			signatures: [good, bare],
		});
		const wrong = Object.entries(wrongSignatures(meta, ground, random))
			.map(([label, all]) => ({ label, signature: all[nth % all.length] }))
			.filter(({ signature }) => signature !== good)
			.map(({ label, signature }) =>
				proof(label, `${m}&seedance_sig=${encodeURIComponent(signature)}`),
			);
		const at = random.at % meta.length;
		const next = DIGITS[(DIGITS.indexOf(meta[at]) + 1) % DIGITS.length];
		const changed = meta.slice(0, at) + next + meta.slice(at + 1);
		return fc.oneof(
			fc
				.constantFrom(...lists.forgedProofs)
				.map(({ label, query, headers }) => proof(label, query, headers)),
			fc.constantFrom(
				...wrong,
				proof('metadata changed', `seedance_meta=${changed}&seedance_sig=${good}`),
				proof('behind a thousand others', `${'a=1&'.repeat(1_000)}${m}&seedance_sig=${good}`),
				proof('metadata of 5 kB', `seedance_meta=${'A'.repeat(5_000)}&seedance_sig=${bare}`),
			),
		);
	});
}

// ---- deliveries --------------------------------------------------------------------------------------------------

/** Headers that a request may have without changing what it means. */
const oddHeaders: Arbitrary<Headers> = fc
	.array(
		fc.constantFrom<ReadonlyArray<string | string[]>>(...lists.headers, [
			'accept-language',
			'x'.repeat(1_000),
		]),
		{ maxLength: 3 },
	)
	.map((some) => Object.fromEntries(some));

/** Parameters that surround a proof. Nothing in them is a task. */
const oddQuery = fc
	.array(fc.constantFrom(...lists.query, `long=${'x'.repeat(1_000)}`), { maxLength: 2 })
	.map((some) => some.join('&'));

const extras = fc.record({ headers: oddHeaders, before: oddQuery, after: oddQuery });

/** Shown by its label in a counterexample: a body may have megabytes. */
function shown(delivery: Omit<HostileDelivery, 'byN8n'> & { byN8n?: boolean }): HostileDelivery {
	const { label, method, query, headers, body, statuses } = delivery;
	const text = () =>
		`${label}: ${method} ?${query.slice(0, 500)} ${JSON.stringify(headers)} ${body?.length ?? 0} bytes: ${JSON.stringify(body?.toString('latin1').slice(0, 500) ?? '')} → ${statuses.join(' or ')}`;
	const whole = { byN8n: false, ...delivery };
	return Object.defineProperty(whole, fc.toStringMethod, { value: text, enumerable: false });
}

const delivery =
	(statuses: readonly number[]) =>
	([proof, { refused, ...sent }, extra = { headers: {}, before: '', after: '' }]: [
		Proof,
		Payload,
		{ headers: Headers; before: string; after: string }?,
	]): HostileDelivery =>
		shown({
			...sent,
			label: `${proof.label}; ${sent.label}`,
			query: [extra.before, proof.query, sent.query, extra.after].filter(Boolean).join('&'),
			headers: { ...extra.headers, ...proof.headers, ...sent.headers },
			statuses: refused.length ? refused : statuses,
			byN8n: refused.length > 0,
			signatures: proof.signatures,
		});

function genuineProof({ apiKey }: Ground, values?: unknown): Proof {
	const query = signedQuery(apiKey, values);
	return { label: 'signed', query, signatures: [query.slice(query.indexOf('sig=') + 4)] };
}

const genuine = (ground: Ground): Arbitrary<Proof> =>
	fc
		.oneof(
			fc.constant(undefined),
			fc.record({ row: fc.nat(), sheet: fc.string({ maxLength: 20 }) }),
			fc.dictionary(
				fc.constantFrom('a', 'b', ...lists.prototypeKeys),
				fc.string({ maxLength: 20 }),
			),
		)
		.map((values) => genuineProof(ground, values));

/** Without a signature for it: 401, whatever it says and whichever task it names. */
export function unsignedDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(
		{ arbitrary: fc.constantFrom(...ground.ended), weight: 3 },
		{ arbitrary: fc.oneof(unknownIds, fc.constantFrom(...ground.foreign), oddIds), weight: 1 },
	);
	return fc.tuple(forgedProofs(ground), readable(ids), extras).map(delivery([401]));
}

/** Genuine, and about an unknown or another account's task: 404. */
export function strangeTaskDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const nearly = nearlyIds([...ground.ended, ...ground.foreign]);
	const ids = fc.oneof(unknownIds, fc.constantFrom(...ground.foreign), nearly);
	return fc.tuple(genuine(ground), ids, reports, oddHeaders).map(([proof, id, report, odd]) => {
		const { headers, ...sent } = reportOf(id, report, proof.query);
		const label = `signed; report (${report.shape}) of ${id}`;
		const { signatures } = proof;
		return shown({ label, ...sent, headers: { ...odd, ...headers }, statuses: [404], signatures });
	});
}

/** Genuine, and with anything in it but a task of the account: 400, or 404 where something in it could be an id. */
export function oddBodyDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(oddIds, unknownIds, fc.constantFrom(...ground.foreign));
	return fc.tuple(genuine(ground), readable(ids), extras).map(delivery([400, 404]));
}

/** Signed or not, n8n cannot read the body and responds by itself. */
export function unreadableDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const proofs = fc.oneof(genuine(ground), forgedProofs(ground));
	return fc.tuple(proofs, unreadable, extras).map(delivery([]));
}

/** Larger than n8n takes, each with a genuine signature. Slow to send. */
export function tooLargeDeliveries(ground: Ground): HostileDelivery[] {
	return [
		payload('17 MB', JSON_TYPE, Buffer.alloc(17 * MB, 0x20)),
		payload('17 MB in chunks', 'application/octet-stream', Buffer.alloc(17 * MB), PACKED.chunked),
		payload('64 MB packed', JSON_TYPE, gzipSync(Buffer.alloc(64 * MB, 0x20)), PACKED.gzip),
	].map((large) => delivery([])([genuineProof(ground), { ...large, refused: [413, 500] }]));
}

/** Methods that a trigger has no URL for, signed and about an ended task. */
export function otherMethodDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const methods = fc.constantFrom('PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
	const ids = fc.constantFrom(...ground.ended);
	return fc
		.tuple(methods, genuine(ground), ids, claims)
		.map(([method, { query, signatures }, id, report]) => {
			const statuses = method === 'OPTIONS' ? [204] : [404];
			const sent = { ...reportOf(id, report, query), method };
			return shown({ label: method, ...sent, statuses, byN8n: true, signatures });
		});
}
