// What a hostile or broken sender may deliver to a trigger's URL, as arbitraries of fast-check: each delivery carries the
// answers that it may get by the design. Signing is written anew here, from the design, and not taken from the nodes.
// Lists of odd values are in test/fixtures/hostile.json.
import fc, { type Arbitrary } from 'fast-check';
import { createHash, createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';

import lists from '../fixtures/hostile.json';
import { keysOf } from '../sandbox/contract.cjs';

/** What there is for an attack: keys to sign with, and tasks to name. */
export interface Ground {
	/** The key in the trigger's credential. */
	apiKey: string;
	/** A key of somebody else. */
	otherKey: string;
	/** Tasks of the account that have ended, which a delivery that is let in would start a run for. */
	ended: readonly string[];
	/** Tasks of somebody else. */
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
	/** The HTTP statuses of which the answer has to be one. */
	answers: readonly number[];
	/** n8n answers by itself, before the trigger is asked. */
	byN8n: boolean;
	/** The genuine signatures that it holds, or nearly holds. */
	signatures: readonly string[];
}

export interface Answer {
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

/** Milliseconds after which it is clear that there will be no answer: twice as long as a trigger may take. */
const NO_ANSWER = 20_000;

/** Sends a delivery to a trigger's URL, byte for byte. Rejects when there is no answer. */
export async function send(
	url: string,
	{ method = 'POST', query = '', headers = {}, body = null }: Partial<Sent>,
	signal?: AbortSignal,
): Promise<Answer> {
	const length = body && !('transfer-encoding' in headers) && { 'content-length': body.length };
	const options = { method, agent, signal, timeout: NO_ANSWER, headers: { ...headers, ...length } };
	return await new Promise((resolve, reject) => {
		const sent = request(query ? `${url}?${query}` : url, options, (answer) => {
			const { statusCode: status = 0, headers: answered } = answer;
			buffer(answer).then(
				(bytes) => resolve({ status, headers: answered, body: bytes.toString('latin1') }),
				reject,
			);
		});
		sent.once('error', reject);
		sent.once('timeout', () => sent.destroy(new Error('There was no answer')));
		sent.end(body ?? undefined);
	});
}

/** Ends the connections that are kept for the next delivery. */
export function hangUp(): void {
	agent.destroy();
}

/** What is wrong with the answer to a delivery: another status than due, or more told than that it was refused. */
export function wrongWith(
	{ answers, byN8n, signatures }: Pick<HostileDelivery, 'answers' | 'byN8n' | 'signatures'>,
	{ status, headers, body }: Answer,
	secrets: readonly string[],
): string[] {
	const problems: string[] = [];
	if (!answers.includes(status)) problems.push(`it was answered ${status}: ${body.slice(0, 200)}`);
	// A trigger says in one sentence what is wrong, and nothing else.
	if (!byN8n && !/^\{"message":"[^"]{1,100}"\}$/.test(body)) {
		problems.push(`it was told ${body.slice(0, 200)}`);
	}
	const all = `${JSON.stringify(headers)}${body}`;
	const told = [...secrets, ...signatures].filter((secret) => all.includes(secret));
	if (told.length) problems.push(`the answer holds ${told.join(', ')}`);
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

type Told = Claim & { id: string; data: object };

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
	envelope: ({ data }: Told) => json({ code: 200, message: 'success', data }),
	data: ({ data }: Told) => json(data),
	neighbour: ({ id: taskId, word: state, videoUrl }: Told) => {
		const resultJson = JSON.stringify({ resultUrls: [videoUrl] });
		return json({ code: 200, msg: 'success', data: { taskId, state, resultJson } });
	},
	'camel case': ({ id: taskId, word: state, videoUrl }: Told) => json({ taskId, state, videoUrl }),
	'json as text': ({ data }: Told) => typed('text/plain', JSON.stringify({ code: 200, data })),
	'data as text': ({ data }: Told) => json({ code: 200, data: JSON.stringify(data) }),
	form: ({ id: task_id, word: status, videoUrl: response }: Told) =>
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
export function reportOf(id: string, { shape, ...told }: Report, query: string): Sent {
	const data = {
		task_id: id,
		status: told.word,
		consumed_credits: 0,
		request: { prompt: told.prompt },
		response: [told.videoUrl],
		video_url: told.videoUrl,
		error_message: told.prompt,
		metadata: { row: 'forged' },
	};
	const sent = SHAPES[shape]({ ...told, id, data });
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

/** Texts that are no id of anybody, and that ask for trouble where they are used as one. */
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
	/** What n8n answers by itself because it cannot read the body; empty where it can. */
	refused: readonly number[];
}

function payload(
	label: string,
	type: string | null,
	body: string | Buffer | null,
	{ headers, ...more }: Partial<Payload> = {},
): Payload {
	return {
		label,
		method: 'POST',
		headers: { ...(type !== null && { 'content-type': type }), ...headers },
		body: typeof body === 'string' ? Buffer.from(body) : body,
		refused: [],
		...more,
	};
}

/** An object as JSON, with any key in any number: `__proto__` and doubles as well. */
const objectText = (entries: ReadonlyArray<readonly [string, string]>): string =>
	`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;

/** JSON texts in which the places that are read hold what nobody expects there. */
function oddJson(ids: Arbitrary<string>): Arbitrary<string> {
	return fc.letrec<{ tree: string; leaf: string; object: string; list: string }>((tie) => ({
		tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('object'), tie('list')),
		leaf: fc.oneof(
			ids.map((id) => JSON.stringify(id)),
			fc.constantFrom(...lists.jsonLeaves),
			fc.double().map((number) => JSON.stringify(number)),
			fc.json({ maxDepth: 2 }),
		),
		object: fc
			.array(fc.tuple(fc.constantFrom(...lists.fields), tie('tree')), { maxLength: 6 })
			.map(objectText),
		list: fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
	})).tree;
}

const bytes = fc
	.uint8Array({ maxLength: 300 })
	.map((some) => Buffer.concat([Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0xc3]), some]));

const GZIP = { headers: { 'content-encoding': 'gzip' } };
const CHUNKED = { headers: { 'transfer-encoding': 'chunked' } };

/** How odd JSON is written: as a label, a type, and a text or bytes. */
const WRAPPERS: ReadonlyArray<(text: string) => Payload> = [
	(text) => payload('odd JSON', JSON_TYPE, text),
	(text) => payload('odd JSON in a data', JSON_TYPE, `{"data":${text}}`),
	(text) => payload('odd JSON as text', 'text/plain', text),
	(text) => payload('JSON as a text in JSON', JSON_TYPE, `{"data":${JSON.stringify(text)}}`),
	(text) => payload('JSON after a byte order mark', JSON_TYPE, `\ufeff${text}`),
	(text) => payload('packed JSON', JSON_TYPE, gzipSync(text), GZIP),
	(text) => payload('chunked', JSON_TYPE, text, CHUNKED),
];

/** Bodies that name a task, and a field for them, in ways that are nobody's. */
const NAMING: ReadonlyArray<(id: string, field: string) => Payload> = [
	(id) => payload('nothing but an id in the query', null, null, { query: idQuery(id) }),
	(id, field) =>
		payload(
			'form with odd fields',
			'application/x-www-form-urlencoded',
			`${field}=${encodeURIComponent(id)}&task_id=a&task_id=b&__proto__=1&id[]=x&%00=%ff&=&&`,
		),
	(id, field) =>
		payload(
			'multipart form',
			'multipart/form-data; boundary=cut',
			`--cut\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${encodeURIComponent(id)}\r\n--cut--\r\n`,
		),
	(id) => {
		const named = JSON.stringify({ task_id: id, data: { task_id: id }, polluted: 1 });
		const inner = JSON.stringify({ prototype: { task_id: id, polluted: 1 } });
		const entries = [
			['__proto__', named],
			['constructor', inner],
			['hasOwnProperty', '1'],
		] as const;
		return payload('keys of prototypes', JSON_TYPE, objectText(entries));
	},
	(id) =>
		payload('a GET with a body', JSON_TYPE, JSON.stringify({ id: { id } }), { method: 'GET' }),
];

const nested = (open: string, close: string, depth: number, core: string) =>
	open.repeat(depth) + core + close.repeat(depth);

const MB = 1024 * 1024;
const HEAVY: ReadonlyArray<(mb: number) => Payload> = [
	(mb) => payload(`JSON of ${mb} MB`, JSON_TYPE, `{"data":"${'x'.repeat(mb * MB)}"}`),
	(mb) => payload(`a key of ${mb} MB`, JSON_TYPE, `{"${'x'.repeat(mb * MB)}":1}`),
	(mb) => payload(`a list of ${mb} MB`, JSON_TYPE, `[${'0,'.repeat(mb * 500_000)}0]`),
	(mb) => payload(`${mb} MB of bytes`, 'application/octet-stream', Buffer.alloc(mb * MB, 0xff)),
	() => payload('10 MB packed', JSON_TYPE, gzipSync(`"${'x'.repeat(10 * MB)}"`), GZIP),
];

/** Bodies that n8n reads, or has no reader for. `ids` are what they name. One in 150 has some megabytes. */
function readable(ids: Arbitrary<string>): Arbitrary<Payload> {
	const odd = oddJson(ids);
	const fields = fc.constantFrom(...lists.fields.filter((name) => name !== 'task_id'));
	const light = fc.oneof(
		{
			weight: 7,
			arbitrary: fc.tuple(fc.constantFrom(...WRAPPERS), odd).map(([wrap, text]) => wrap(text)),
		},
		{
			weight: 5,
			arbitrary: fc
				.tuple(fc.constantFrom(...NAMING), ids, fields)
				.map(([name, id, field]) => name(id, field)),
		},
		fc.tuple(ids, reports).map(([id, told]) => ({
			label: `report (${told.shape})`,
			refused: [],
			...reportOf(id, told, ''),
		})),
		fc
			.tuple(fc.constantFrom(...lists.byteTypes), bytes)
			.map(([type, body]) => payload(`bytes as "${type}"`, type, body)),
		fc
			.tuple(fc.constantFrom(...lists.jsonTypes), ids)
			.map(([type, id]) => payload(`JSON as "${type}"`, type, JSON.stringify({ task_id: id }))),
		fc
			.constantFrom(...lists.xmlTags)
			.map((name) => payload('XML', 'application/xml', `<${name}><a b="c">1</a></${name}>`)),
		fc.tuple(fc.constantFrom(100, 1_000, 10_000), fc.boolean(), ids).map(([depth, isList, id]) => {
			const list = nested('[', ']', depth, JSON.stringify(id));
			const object = nested('{"data":', '}', depth, JSON.stringify({ task_id: id }));
			return payload(`JSON of ${depth} levels`, JSON_TYPE, isList ? list : object);
		}),
	);
	const heavy = fc
		.tuple(fc.constantFrom(...HEAVY), fc.integer({ min: 1, max: 4 }))
		.map(([make, mb]) => make(mb));
	return fc.oneof({ arbitrary: light, weight: 150 }, { arbitrary: heavy, weight: 1 });
}

/** Bodies that n8n cannot read, and what it answers before the trigger is asked. */
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

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Queries without a signature that the account gave for that metadata. */
export function forgedProofs({ apiKey, otherKey }: Ground): Arbitrary<Proof> {
	const values = fc.record({ row: fc.nat(), name: fc.string({ maxLength: 30 }) });
	const place = fc.nat({ max: 42 });
	const digit = fc.constantFrom(...DIGITS);
	return values.chain((metadata) => {
		const text = JSON.stringify(metadata);
		const meta = base64url(text);
		const m = `seedance_meta=${meta}`;
		const [good, bare] = [sign(meta, apiKey), sign('', apiKey)];
		const names: Record<string, string> = {
			m,
			meta,
			good,
			bare,
			other: sign(base64url('{"row":0}'), apiKey),
			cut: meta.slice(0, -1),
			blanks: base64url(` ${text}`),
		};
		const fill = (template: string) => template.replace(/\{(\w+)\}/g, (_, name) => names[name]);
		const proof = (label: string, query: string, headers: object = {}): Proof => ({
			label,
			query: fill(query),
			headers: JSON.parse(fill(JSON.stringify(headers))),
			signatures: [good, bare],
		});
		const wrong = (label: string) => (signature: string) =>
			proof(label, `${m}&seedance_sig=${encodeURIComponent(signature)}`);
		const raw = Buffer.from(good, 'base64url');
		const hmac = (hash: string, given: string) =>
			createHmac(hash, apiKey).update(given).digest('base64url').slice(0, 43);
		const changed = (given: string, at: number, other: string) =>
			given.slice(0, at) + other + given.slice(at + 1);
		return fc.oneof(
			{
				weight: 10,
				arbitrary: fc
					.constantFrom(...lists.forgedProofs)
					.map(({ label, query, headers }) => proof(label, query, headers)),
			},
			place.map((length) => good.slice(0, length)).map(wrong('cut')),
			place.map((start) => good.slice(start + 1)).map(wrong('cut at its start')),
			fc
				.string({ minLength: 1, maxLength: 60 })
				.filter((end) => end.trim() !== '')
				.map((end) => good + end)
				.map(wrong('lengthened')),
			fc
				.tuple(place, digit)
				.filter(([at, other]) => good[at] !== other)
				.map(([at, other]) => changed(good, at, other))
				.map(wrong('one letter changed')),
			// The last digit of 43 holds four bits: three others mean the same bytes.
			digit
				.map((other) => changed(good, 42, other))
				.filter((other) => other !== good && Buffer.from(other, 'base64url').equals(raw))
				.map(wrong('the same bytes, written differently')),
			fc
				.constantFrom(
					...[good.toUpperCase(), good.toLowerCase(), [...good].reverse().join('')],
					...[raw.toString('base64'), raw.toString('hex'), raw.toString('latin1')],
					...[
						base64url(good),
						encodeURIComponent(good.replace(/./g, (c) => `%${c.charCodeAt(0)}`)),
					],
				)
				.map(wrong('re-encoded')),
			fc
				.array(digit, { minLength: 43, maxLength: 43 })
				.map((digits) => digits.join(''))
				.map(wrong('made up')),
			fc
				.constantFrom(otherKey, '', `${apiKey}x`, apiKey.slice(0, -1), apiKey.toUpperCase())
				.map((key) => sign(meta, key))
				.map(wrong('made with another key')),
			fc
				.constantFrom(
					...[hmac('sha256', meta), hmac('sha256', `v1\n${meta}`), hmac('sha512', `v1\n${meta}`)],
					createHash('sha256').update(`v1\n${meta}`).digest('base64url'),
					...[`\n${meta}`, `${meta}\n`, `v1\n${meta}`, text].map((given) => sign(given, apiKey)),
					sign(meta, createHash('sha256').update(apiKey).digest('hex')),
				)
				.map(wrong('made in another way')),
			fc
				.tuple(fc.nat({ max: meta.length - 1 }), digit)
				.filter(([at, other]) => meta[at] !== other)
				.map(([at, other]) => `seedance_meta=${changed(meta, at, other)}&seedance_sig=${good}`)
				.map((query) => proof('metadata changed', query)),
			fc.constantFrom(
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

/** Told by its label in a counterexample: a body may have megabytes. */
function shown(delivery: Omit<HostileDelivery, 'byN8n'> & { byN8n?: boolean }): HostileDelivery {
	const { label, method, query, headers, body, answers } = delivery;
	const text = () =>
		`${label}: ${method} ?${query.slice(0, 500)} ${JSON.stringify(headers)} ${body?.length ?? 0} bytes: ${JSON.stringify(body?.toString('latin1').slice(0, 500) ?? '')} → ${answers.join(' or ')}`;
	const whole = { byN8n: false, ...delivery };
	return Object.defineProperty(whole, fc.toStringMethod, { value: text, enumerable: false });
}

const delivery =
	(answers: readonly number[]) =>
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
			answers: refused.length ? refused : answers,
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

/** Whoever sent it has no signature for it: 401, whatever it says and whichever task it names. */
export function unsignedDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(
		{ arbitrary: fc.constantFrom(...ground.ended), weight: 3 },
		{ arbitrary: fc.oneof(unknownIds, fc.constantFrom(...ground.foreign), oddIds), weight: 1 },
	);
	return fc.tuple(forgedProofs(ground), readable(ids), extras).map(delivery([401]));
}

/** Genuine, and about a task that nobody has, or somebody else: 404. */
export function strangeTaskDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const nearly = nearlyIds([...ground.ended, ...ground.foreign]);
	const ids = fc.oneof(unknownIds, fc.constantFrom(...ground.foreign), nearly);
	return fc.tuple(genuine(ground), ids, reports, oddHeaders).map(([proof, id, told, odd]) => {
		const { headers, ...sent } = reportOf(id, told, proof.query);
		const label = `signed; report (${told.shape}) of ${id}`;
		const { signatures } = proof;
		return shown({ label, ...sent, headers: { ...odd, ...headers }, answers: [404], signatures });
	});
}

/** Genuine, and with anything in it but a task of the account: 400, or 404 where something in it could be an id. */
export function oddBodyDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(oddIds, unknownIds, fc.constantFrom(...ground.foreign));
	return fc.tuple(genuine(ground), readable(ids), extras).map(delivery([400, 404]));
}

/** Signed or not, n8n cannot read the body and answers by itself. */
export function unreadableDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const proofs = fc.oneof(genuine(ground), forgedProofs(ground));
	return fc.tuple(proofs, unreadable, extras).map(delivery([]));
}

/** Larger than n8n takes, each with a genuine signature. Slow to send. */
export function tooLargeDeliveries(ground: Ground): HostileDelivery[] {
	return [
		payload('17 MB', JSON_TYPE, Buffer.alloc(17 * MB, 0x20)),
		payload('17 MB in chunks', 'application/octet-stream', Buffer.alloc(17 * MB), CHUNKED),
		payload('64 MB packed', JSON_TYPE, gzipSync(Buffer.alloc(64 * MB, 0x20)), GZIP),
	].map((large) => delivery([])([genuineProof(ground), { ...large, refused: [413, 500] }]));
}

/** Methods that a trigger has no URL for, signed and about an ended task. */
export function otherMethodDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const methods = fc.constantFrom('PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
	const ids = fc.constantFrom(...ground.ended);
	return fc
		.tuple(methods, genuine(ground), ids, claims)
		.map(([method, { query, signatures }, id, told]) => {
			const answers = method === 'OPTIONS' ? [204] : [404];
			const sent = { ...reportOf(id, told, query), method };
			return shown({ label: method, ...sent, answers, byN8n: true, signatures });
		});
}
