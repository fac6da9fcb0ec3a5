// What a hostile or broken sender may deliver to a trigger's URL, as arbitraries of fast-check: each delivery carries the
// answers that it may get by the design. Signing is written anew here, from the design, and not taken from the nodes.
import fc, { type Arbitrary } from 'fast-check';
import { createHash, createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';

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

export interface HostileDelivery {
	/** What is wrong with it. */
	label: string;
	method: string;
	/** As it is sent, without the question mark. */
	query: string;
	headers: Record<string, string | string[]>;
	body: Buffer | null;
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
 * A connection for each delivery: one that lay idle for 5 s is closed by Node's servers, perhaps just when the next delivery
 * is sent over it. It still asks to be kept, because a server that closes at once cuts off bodies that it has not read.
 */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
agent.maxFreeSockets = 0;

/** Milliseconds after which it is clear that there will be no answer: twice as long as a trigger may take. */
const NO_ANSWER = 20_000;

/** Sends a delivery to a trigger's URL, byte for byte. Rejects when there is no answer. */
export async function send(
	url: string,
	{
		method = 'POST',
		query = '',
		headers = {},
		body = null,
	}: Partial<Pick<HostileDelivery, 'method' | 'query' | 'headers' | 'body'>>,
	signal?: AbortSignal,
): Promise<Answer> {
	const isChunked = 'transfer-encoding' in headers;
	return await new Promise((resolve, reject) => {
		const sent = request(
			query ? `${url}?${query}` : url,
			{
				method,
				agent,
				signal,
				timeout: NO_ANSWER,
				headers: {
					...headers,
					...(body && !isChunked && { 'content-length': String(body.length) }),
				},
			},
			(answer) => {
				const chunks: Buffer[] = [];
				answer.on('data', (chunk: Buffer) => chunks.push(chunk));
				answer.once('error', reject);
				answer.once('end', () =>
					resolve({
						status: answer.statusCode ?? 0,
						headers: answer.headers,
						body: Buffer.concat(chunks).toString('latin1'),
					}),
				);
			},
		);
		sent.once('error', reject);
		sent.once('timeout', () => sent.destroy(new Error('There was no answer')));
		sent.end(body ?? undefined);
	});
}

/** A trigger says in one sentence what is wrong, and nothing else. */
function isPlainMessage(body: string): boolean {
	const said: Record<string, unknown> = JSON.parse(body);
	return (
		Object.keys(said).join() === 'message' &&
		typeof said.message === 'string' &&
		said.message.length < 100
	);
}

/** What is wrong with the answer to a delivery: another status than due, or more told than that it was refused. */
export function wrongWith(
	{ answers, byN8n, signatures }: Pick<HostileDelivery, 'answers' | 'byN8n' | 'signatures'>,
	{ status, headers, body }: Answer,
	secrets: readonly string[],
): string[] {
	const problems: string[] = [];
	if (!answers.includes(status)) problems.push(`it was answered ${status}: ${body.slice(0, 200)}`);
	if (!byN8n && !isPlainMessage(body)) problems.push(`it was told ${body.slice(0, 200)}`);
	const all = `${JSON.stringify(headers)}${body}`;
	const told = [...secrets, ...signatures].filter((secret) => all.includes(secret));
	if (told.length) problems.push(`the answer holds ${told.join(', ')}`);
	return problems;
}

/** Ends the connections that are kept for the next delivery. */
export function hangUp(): void {
	agent.destroy();
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** A JSON body, sent with POST. */
export function json(value: unknown): Pick<HostileDelivery, 'method' | 'headers' | 'body'> {
	return { method: 'POST', headers: JSON_TYPE, body: Buffer.from(JSON.stringify(value)) };
}

// ---- reports: a delivery about one task, in the shapes that senders use ------------------------------------------

const SHAPES = [
	'envelope',
	'data',
	'neighbour',
	'camel case',
	'json as text',
	'data as text',
	'form',
	'get',
	'query',
] as const;
type Shape = (typeof SHAPES)[number];

/** Shapes in which a sender says what the task has come to. */
const CLAIMING = SHAPES.filter((shape) => shape !== 'get' && shape !== 'query');

/** What a delivery says of a task. */
export interface Report {
	shape: Shape;
	word: string;
	videoUrl: string;
	prompt: string;
}

const END_WORDS = [
	'SUCCESS',
	'success',
	'SUCCEEDED',
	'COMPLETED',
	'completed',
	'FAILED',
	'fail',
	'ERROR',
	'CANCELLED',
	'EXPIRED',
];

const report = (shapes: readonly Shape[]): Arbitrary<Report> =>
	fc.record({
		shape: fc.constantFrom(...shapes),
		word: fc.constantFrom(...END_WORDS),
		videoUrl: fc.webUrl({ withQueryParameters: true }),
		prompt: fc.string({ unit: 'grapheme' }),
	});

/** Reports of an end, in every shape. */
export const reports = report(SHAPES);
/** Reports that claim an end in words. */
export const claims = report(CLAIMING);

/** The delivery of a report about a task, with a query that proves it or does not. */
export function reportOf(
	taskId: string,
	{ shape, word, videoUrl, prompt }: Report,
	query: string,
): Pick<HostileDelivery, 'method' | 'query' | 'headers' | 'body'> {
	const data = {
		task_id: taskId,
		status: word,
		consumed_credits: 0,
		request: { prompt },
		response: [videoUrl],
		video_url: videoUrl,
		error_message: prompt,
		metadata: { row: 'forged' },
	};
	const text = (type: string, body: string) => ({
		method: 'POST',
		query,
		headers: { 'content-type': type },
		body: Buffer.from(body),
	});
	const withTask = `${query}&${idQuery(taskId)}`;
	switch (shape) {
		case 'envelope':
			return { query, ...json({ code: 200, message: 'success', data }) };
		case 'data':
			return { query, ...json(data) };
		case 'neighbour':
			return {
				query,
				...json({
					code: 200,
					msg: 'success',
					data: { taskId, state: word, resultJson: JSON.stringify({ resultUrls: [videoUrl] }) },
				}),
			};
		case 'camel case':
			return { query, ...json({ taskId, state: word, videoUrl }) };
		case 'json as text':
			return text('text/plain', JSON.stringify({ code: 200, data }));
		case 'data as text':
			return { query, ...json({ code: 200, data: JSON.stringify(data) }) };
		case 'form':
			return text(
				'application/x-www-form-urlencoded; charset=utf-8',
				new URLSearchParams({ task_id: taskId, status: word, response: videoUrl }).toString(),
			);
		case 'get':
			return { method: 'GET', query: withTask, headers: {}, body: null };
		case 'query':
			return { method: 'POST', query: withTask, headers: {}, body: null };
	}
}

// ---- task ids ----------------------------------------------------------------------------------------------------

const hex = (length: number) =>
	fc
		.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
		.map((digits) => digits.join(''));

/** Ids that look like one, and that nobody has. */
const unknownIds = hex(16).map((digits) => `seed15${digits}pro`);

/** Ids that are nearly those of a task, or try to be more than an id. */
const nearlyIds = (ids: readonly string[]): Arbitrary<string> =>
	fc
		.tuple(fc.constantFrom(...ids), unknownIds)
		.chain(([id, other]) =>
			fc.constantFrom(
				`${id}x`,
				id.slice(0, -1),
				`x${id}`,
				id.toUpperCase(),
				`${other}&task_id=${id}`,
				`${other}#${id}`,
				`${id}%00`,
				`${id}%20`,
				`../status?task_id=${id}`,
				`${id}/../${id}`,
				`${id},${id}`,
				`http://127.0.0.1/${id}`,
			),
		);

/** Texts that are no id of anybody, and that ask for trouble where they are used as one. */
const oddIds = fc.oneof(
	fc.constantFrom(
		'__proto__',
		'constructor',
		'hasOwnProperty',
		'toString',
		'NaN',
		'undefined',
		'null',
		'-1',
		'0',
		'[object Object]',
		'{{ $json }}',
		'={{ 1 + 1 }}',
		'${7*7}',
		"' OR 1=1 --",
		'a\nb',
		'a\r\nX-Injected: 1',
		'a\u0000b',
		'\u202egpj',
		'🎬'.repeat(60),
		'x'.repeat(200),
		'x'.repeat(201),
		'x'.repeat(100_000),
	),
	fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
	fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
);

// ---- bodies ------------------------------------------------------------------------------------------------------

/** The part of a delivery that proves nothing. */
interface Payload extends Pick<HostileDelivery, 'label' | 'method' | 'headers' | 'body'> {
	/** Added to the query. */
	query?: string;
	/** What n8n answers by itself because it cannot read the body; empty where it can. */
	refused: readonly number[];
}

const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString'];
const KNOWN_PLACES = [
	...['task_id', 'taskId', 'id', 'status', 'state', 'data', 'code', 'msg', 'message'],
	...['response', 'request', 'resultJson', 'metadata', 'video_url', 'consumed_credits', 'prompt'],
	...['seedance_sig', 'seedance_meta', 'callback_url', 'then', 'toJSON', 'length'],
	...PROTOTYPE_KEYS,
];

/** An object as JSON, with any key in any number: `__proto__` and doubles as well. */
const objectText = (entries: ReadonlyArray<readonly [string, string]>): string =>
	`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;

/** JSON texts in which the places that are read hold what nobody expects there. */
function oddJson(ids: Arbitrary<string>): Arbitrary<string> {
	const { tree } = fc.letrec<{ tree: string; leaf: string; object: string; list: string }>(
		(tie) => ({
			tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('object'), tie('list')),
			leaf: fc.oneof(
				ids.map((id) => JSON.stringify(id)),
				fc.constantFrom(
					'null',
					'true',
					'false',
					'0',
					'-0',
					'1e308',
					'1e400',
					'-1e400',
					'""',
					'" "',
				),
				fc.constantFrom(
					'"NaN"',
					'"SUCCESS"',
					'"success"',
					'"IN_PROGRESS"',
					'"\\u0000"',
					'"\\ud800"',
				),
				fc.double().map((number) => JSON.stringify(number)),
				fc.json({ maxDepth: 2 }),
			),
			object: fc
				.array(fc.tuple(fc.constantFrom(...KNOWN_PLACES), tie('tree')), { maxLength: 6 })
				.map(objectText),
			list: fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
		}),
	);
	return tree;
}

const payload = (
	label: string,
	type: string | undefined,
	body: string | Buffer | null,
	more: Partial<Payload> = {},
): Payload => ({
	label,
	method: 'POST',
	headers: type === undefined ? {} : { 'content-type': type },
	body: typeof body === 'string' ? Buffer.from(body) : body,
	refused: [],
	...more,
});

const bytes = fc
	.uint8Array({ maxLength: 300 })
	.map((some) => Buffer.concat([Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0xc3]), some]));

const nested = (open: string, close: string, depth: number, core: string) =>
	open.repeat(depth) + core + close.repeat(depth);

/** Bodies that n8n reads, or has no reader for. `ids` are what they name; `isHeavy` adds those of some megabytes. */
function readable(ids: Arbitrary<string>, isHeavy: boolean): Arbitrary<Payload> {
	const odd = oddJson(ids);
	const light: Array<Arbitrary<Payload>> = [
		odd.map((text) => payload('odd JSON', 'application/json', text)),
		odd.map((text) => payload('odd JSON in a data', 'application/json', `{"data":${text}}`)),
		odd.map((text) => payload('odd JSON as text', 'text/plain', text)),
		odd.map((text) =>
			payload('JSON as a text in JSON', 'application/json', `{"data":${JSON.stringify(text)}}`),
		),
		odd.map((text) => payload('JSON after a byte order mark', 'application/json', `\ufeff${text}`)),
		odd.map((text) =>
			payload('packed JSON', 'application/json', gzipSync(text), {
				headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
			}),
		),
		fc.tuple(ids, reports).map(([id, told]) => {
			const { method, headers, body, query } = reportOf(id, told, '');
			return { label: `report (${told.shape})`, method, headers, body, query, refused: [] };
		}),
		ids.map((id) =>
			payload('nothing but an id in the query', undefined, null, { query: idQuery(id) }),
		),
		fc
			.tuple(
				fc.constantFrom('application/octet-stream', 'image/png', 'video/mp4', 'null', ''),
				bytes,
			)
			.map(([type, body]) => payload(`bytes as "${type}"`, type, body)),
		bytes.map((body) => payload('bytes without a type', undefined, body)),
		bytes.map((body) => payload('bytes as text', 'text/plain; charset=utf-8', body)),
		fc
			.tuple(
				fc.constantFrom(
					'application/json, text/plain',
					'text/json',
					'application/problem+json',
					'*/*',
					'json',
					'multipart/mixed; boundary=x',
				),
				ids,
			)
			.map(([type, id]) => payload(`JSON as "${type}"`, type, JSON.stringify({ task_id: id }))),
		fc
			.tuple(fc.constantFrom(...KNOWN_PLACES), ids)
			.map(([name, id]) =>
				payload(
					'form with odd fields',
					'application/x-www-form-urlencoded',
					`${name}=${encodeURIComponent(id)}&task_id=a&task_id=b&__proto__=1&id[]=x&%00=%ff&=&&`,
				),
			),
		fc
			.tuple(fc.constantFrom(...KNOWN_PLACES.filter((name) => name !== 'task_id')), ids)
			.map(([name, id]) =>
				payload(
					'multipart form',
					'multipart/form-data; boundary=cut',
					`--cut\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${encodeURIComponent(id)}\r\n--cut--\r\n`,
				),
			),
		fc
			.constantFrom('task_id', 'data', '__proto__', 'constructor', 'status')
			.map((name) => payload('XML', 'application/xml', `<${name}><a b="c">1</a></${name}>`)),
		fc
			.tuple(fc.constantFrom(100, 1_000, 10_000), fc.boolean(), ids)
			.map(([depth, isList, id]) =>
				payload(
					`JSON of ${depth} levels`,
					'application/json',
					isList
						? nested('[', ']', depth, JSON.stringify(id))
						: nested('{"data":', '}', depth, JSON.stringify({ task_id: id })),
				),
			),
		ids.map((id) =>
			payload(
				'keys of prototypes',
				'application/json',
				objectText([
					['__proto__', JSON.stringify({ task_id: id, data: { task_id: id }, polluted: 1 })],
					['constructor', JSON.stringify({ prototype: { task_id: id, polluted: 1 } })],
					['hasOwnProperty', '1'],
				]),
			),
		),
		ids.map((id) =>
			payload('a GET with a body', 'application/json', JSON.stringify({ id: { id } }), {
				method: 'GET',
			}),
		),
		ids.map((id) =>
			payload('chunked', 'application/json', JSON.stringify([{ task_id: id }]), {
				headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
			}),
		),
	];
	const heavy: Array<Arbitrary<Payload>> = [
		fc.integer({ min: 1, max: 5 }).map((mb) => {
			const text = 'x'.repeat(mb * 1024 * 1024);
			return payload(`JSON of ${mb} MB`, 'application/json', objectText([['data', `"${text}"`]]));
		}),
		fc.integer({ min: 1, max: 3 }).map((mb) => {
			const text = 'x'.repeat(mb * 1024 * 1024);
			return payload(`a key of ${mb} MB`, 'application/json', objectText([[text, '1']]));
		}),
		fc
			.integer({ min: 1, max: 3 })
			.map((mb) =>
				payload(`a list of ${mb} MB`, 'application/json', `[${'0,'.repeat(mb * 500_000)}0]`),
			),
		fc
			.integer({ min: 1, max: 5 })
			.map((mb) =>
				payload(
					`${mb} MB of bytes`,
					'application/octet-stream',
					Buffer.alloc(mb * 1024 * 1024, 0xff),
				),
			),
		fc.constant(
			payload('10 MB packed', 'application/json', gzipSync(`"${'x'.repeat(10 * 1024 * 1024)}"`), {
				headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
			}),
		),
	];
	const usual = { arbitrary: fc.oneof(...light), weight: 150 };
	return isHeavy
		? fc.oneof(usual, { arbitrary: fc.oneof(...heavy), weight: 1 })
		: fc.oneof(...light);
}

/** Bodies that n8n cannot read, and what it answers before the trigger is asked. */
const unreadable: Arbitrary<Payload> = fc.oneof(
	bytes.map((body) => payload('bytes as JSON', 'application/json', body, { refused: [422] })),
	fc
		.constantFrom('{', '{"task_id":', 'NaN', "{'task_id':1}", 'undefined', '{"a":1}}', '\u0000')
		.map((text) => payload('broken JSON', 'application/json', text, { refused: [422] })),
	fc.constantFrom('utf-99', '__proto__', '%00', 'x'.repeat(500)).map((charset) =>
		payload('an unknown charset', `application/json; charset=${charset}`, '{}', {
			refused: [422],
		}),
	),
	fc
		.constantFrom('<a><b></a>', '<a', 'no markup at all <')
		.map((text) => payload('broken XML', 'text/xml', text, { refused: [422] })),
	fc.constantFrom('gzip', 'deflate').chain((packing) =>
		bytes.map((body) =>
			payload(`not really ${packing}`, 'application/json', body, {
				headers: { ...JSON_TYPE, 'content-encoding': packing },
				refused: [400, 413, 422, 500],
			}),
		),
	),
	bytes.map((body) =>
		payload('broken multipart form', 'multipart/form-data', body, { refused: [400, 500] }),
	),
);

/** Bodies that are larger than n8n takes. Slow to send. */
const TOO_LARGE: readonly Payload[] = [
	payload('17 MB', 'application/json', Buffer.alloc(17 * 1024 * 1024, 0x20)),
	payload('17 MB in chunks', 'application/octet-stream', Buffer.alloc(17 * 1024 * 1024), {
		headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
	}),
	payload('64 MB packed', 'application/json', gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20)), {
		headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
	}),
].map((large) => ({ ...large, refused: [413, 500] }));

// ---- queries: proofs that do not hold ----------------------------------------------------------------------------

export interface Proof {
	/** What is wrong with it. */
	label: string;
	query: string;
	headers?: Record<string, string>;
	/** Genuine ones that are in it, or that it is made from. */
	signatures: readonly string[];
}

/** Cut where Node takes no longer address. */
function idQuery(taskId: string): string {
	return `task_id=${encodeURIComponent(taskId.slice(0, 1_000))}`;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const metadata: Arbitrary<unknown> = fc.oneof(
	fc.constant(undefined),
	fc.record({ row: fc.nat(), sheet: fc.string({ maxLength: 20 }) }),
	fc.dictionary(fc.constantFrom('a', 'b', ...PROTOTYPE_KEYS), fc.string({ maxLength: 20 })),
);

/** Queries without a signature that the account gave for that metadata. */
export function forgedProofs({ apiKey, otherKey }: Ground): Arbitrary<Proof> {
	const meta = fc.record({ row: fc.nat(), name: fc.string({ maxLength: 30 }) }).map((values) => {
		const text = base64url(JSON.stringify(values));
		return { text, good: sign(text, apiKey) };
	});
	const sig = 'seedance_sig';
	const place = fc.nat({ max: 42 });
	const digit = fc.constantFrom(...DIGITS);
	return meta.chain(({ text, good }) => {
		const m = `seedance_meta=${text}`;
		const bare = sign('', apiKey);
		const proof = (label: string, given: string, headers?: Record<string, string>): Proof => ({
			label,
			query: given,
			headers,
			signatures: [good, bare],
		});
		const raw = Buffer.from(good, 'base64url');
		const wrong = (label: string, signature: string) =>
			proof(label, `${m}&${sig}=${encodeURIComponent(signature)}`);
		return fc.oneof(
			fc
				.constantFrom('', m, 'seedance_meta=', `${sig}`, `${sig}=`, `${m}&${sig}=`)
				.map((none) => proof('no signature', none)),
			fc
				.constantFrom('Seedance_sig', 'SEEDANCE_SIG', 'seedance_sig%20', '%20seedance_sig', 'sig')
				.map((name) => proof('another name', `${m}&${name}=${good}`)),
			place.map((length) => wrong('cut', good.slice(0, length))),
			place.map((start) => wrong('cut at its start', good.slice(start + 1))),
			fc
				.string({ minLength: 1, maxLength: 60 })
				.filter((end) => end.trim() !== '')
				.map((end) => wrong('lengthened', good + end)),
			fc
				.constantFrom('=', ' ', '\n', '\0', '\ufeff', '\u200b', '\t', good)
				.map((end) => wrong('lengthened by what some trim away', good + end)),
			fc.constantFrom(' ', '\n', '\0', '\ufeff').map((start) => wrong('with a lead', start + good)),
			fc
				.tuple(place, digit)
				.filter(([at, other]) => good[at] !== other)
				.map(([at, other]) =>
					wrong('one letter changed', good.slice(0, at) + other + good.slice(at + 1)),
				),
			// The last digit of 43 holds four bits: three others mean the same bytes.
			digit
				.filter((other) => {
					const changed = good.slice(0, -1) + other;
					return changed !== good && Buffer.from(changed, 'base64url').equals(raw);
				})
				.map((other) => wrong('the same bytes, written differently', good.slice(0, -1) + other)),
			fc
				.constantFrom(
					good.toUpperCase(),
					good.toLowerCase(),
					[...good].reverse().join(''),
					raw.toString('base64'),
					raw.toString('hex'),
					raw.toString('latin1'),
					`${raw.toString('base64url')}=`,
					encodeURIComponent([...good].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')),
					base64url(good),
					`"${good}"`,
					`sha256=${good}`,
					`v1,${good}`,
				)
				.map((other) => wrong('re-encoded', other)),
			fc
				.array(digit, { minLength: 43, maxLength: 43 })
				.map((digits) => wrong('made up', digits.join(''))),
			fc
				.constantFrom('A'.repeat(43), '0'.repeat(43), 'true', '1', '[object Object]', 'undefined')
				.map((other) => wrong('made up', other)),
			fc
				.constantFrom(
					`${sig}=${good}&${sig}=${good}`,
					`${sig}=&${sig}=${good}`,
					`${sig}=${good}&${sig}=`,
					`${sig}[]=${good}`,
					`${sig}[0]=${good}`,
					`${sig}[1]=${good}`,
					`${sig}[a]=${good}`,
					`${sig}[__proto__]=${good}`,
					`${sig}[toString]=${good}`,
					`${sig}[length]=43&${sig}[0]=${good}`,
					`${sig}=${good}&${sig}[x]=1`,
					`__proto__[${sig}]=${good}`,
					`constructor[prototype][${sig}]=${good}`,
					`a[${sig}]=${good}`,
				)
				.map((several) => proof('doubled or as a list', `${m}&${several}`)),
			fc.constantFrom(
				proof('in a header', m, { 'x-seedance-sig': good, seedance_sig: good }),
				proof('in a cookie', m, { cookie: `${sig}=${good}` }),
				proof('as an authorization', m, { authorization: `Bearer ${good}` }),
				proof('in the path of the query', `${m};${sig}=${good}`),
			),
			fc
				.constantFrom(
					sign(text, otherKey),
					sign(text, ''),
					sign(text, `${apiKey}x`),
					sign(text, apiKey.slice(0, -1)),
					sign(text, apiKey.toUpperCase()),
					sign(text, createHash('sha256').update(apiKey).digest('hex')),
				)
				.map((other) => wrong('made with another key', other)),
			fc
				.constantFrom(
					createHmac('sha256', apiKey).update(text).digest('base64url'),
					createHmac('sha256', apiKey).update(`v1\n${text}`).digest('base64url'),
					createHmac('sha512', apiKey).update(`v1\n${text}`).digest('base64url').slice(0, 43),
					createHash('sha256').update(`v1\n${text}`).digest('base64url'),
					sign(`\n${text}`, apiKey),
					sign(`${text}\n`, apiKey),
					sign(`v1\n${text}`, apiKey),
					sign(Buffer.from(text, 'base64url').toString(), apiKey),
				)
				.map((other) => wrong('made in another way', other)),
			fc.constantFrom(
				proof('for another metadata', `${m}&${sig}=${sign(base64url('{"row":0}'), apiKey)}`),
				proof('for no metadata', `${m}&${sig}=${bare}`),
				proof('metadata taken away', `${sig}=${good}`),
				proof('metadata emptied', `seedance_meta=&${sig}=${good}`),
				proof('metadata cut', `seedance_meta=${text.slice(0, -1)}&${sig}=${good}`),
				proof('metadata lengthened', `${m}A&${sig}=${good}`),
				proof('metadata padded', `${m}%3D&${sig}=${good}`),
				proof('metadata with a break', `${m}%0A&${sig}=${good}`),
				proof('metadata doubled', `${m}&${m}&${sig}=${good}`),
				proof('metadata added', `seedance_meta=${text}&seedance_meta=e30&${sig}=${good}`),
				proof('metadata as a list', `seedance_meta[]=${text}&${sig}=${good}`),
				proof('metadata as an object', `seedance_meta[a]=${text}&${sig}=${good}`),
				proof('metadata given to a bare signature', `seedance_meta=e30&${sig}=${bare}`),
				proof('metadata moved', `meta=${text}&${sig}=${good}`),
				proof('metadata and signature swapped', `seedance_meta=${good}&${sig}=${text}`),
				proof(
					'metadata written with other blanks',
					`seedance_meta=${base64url(` ${Buffer.from(text, 'base64url').toString()}`)}&${sig}=${good}`,
				),
			),
			fc
				.tuple(fc.nat({ max: Math.max(0, text.length - 1) }), digit)
				.filter(([at, other]) => text[at] !== other)
				.map(([at, other]) =>
					proof(
						'metadata changed',
						`seedance_meta=${text.slice(0, at)}${other}${text.slice(at + 1)}&${sig}=${good}`,
					),
				),
			fc.constant(proof('behind a thousand others', `${'a=1&'.repeat(1_000)}${m}&${sig}=${good}`)),
			fc.constant(proof('metadata of 5 kB', `seedance_meta=${'A'.repeat(5_000)}&${sig}=${bare}`)),
		);
	});
}

/** Headers that a request may have without changing what it means. */
const oddHeaders: Arbitrary<Record<string, string | string[]>> = fc
	.array(
		fc.constantFrom<[string, string | string[]]>(
			['__proto__', 'polluted'],
			['constructor', 'prototype'],
			['authorization', 'Bearer sk-guess'],
			['cookie', 'n8n-auth=stolen; __proto__=1; =; ;'],
			['x-forwarded-for', '127.0.0.1, 10.0.0.1'],
			['x-forwarded-host', 'evil.example.com'],
			['x-http-method-override', 'DELETE'],
			['x-original-url', '/rest/workflows'],
			['origin', 'https://evil.example.com'],
			['referer', 'javascript:alert(1)'],
			['accept', 'text/html, */*;q=0'],
			['accept-encoding', 'br, gzip, deflate'],
			['accept-language', 'x'.repeat(1_000)],
			['content-disposition', "attachment; filename*=utf-8''%ff"],
			['content-language', '\xe4\xf6\xfc'],
			['range', 'bytes=0-0'],
			['traceparent', '00-0-0-zz'],
			['user-agent', 'curl\xff'],
			['x-many', Array.from({ length: 50 }, (_, index) => String(index))],
			['x-n8n-signature', 'A'.repeat(43)],
			['x-empty', ''],
		),
		{ maxLength: 3 },
	)
	.map((some) => Object.fromEntries(some));

/** Parameters that surround a proof. Nothing in them is a task. */
const oddQuery = fc
	.array(
		fc.constantFrom(
			'__proto__[polluted]=1',
			'__proto__=1',
			'constructor[prototype][polluted]=1',
			'hasOwnProperty=1',
			'toString=1',
			'task_id[]=x',
			'task_id[a]=x',
			'task_id=',
			'a[b][c][d][e][f][g]=1',
			'status=SUCCESS',
			'data=1',
			'%ff=%fe',
			'%',
			'=',
			'&&',
			'utf8=%E2%9C%93',
			`long=${'x'.repeat(1_000)}`,
		),
		{ maxLength: 2 },
	)
	.map((some) => some.join('&'));

// ---- deliveries --------------------------------------------------------------------------------------------------

/** Told by its label in a counterexample: a body may have megabytes. */
function shown(delivery: HostileDelivery): HostileDelivery {
	const { label, method, query, headers, body, answers } = delivery;
	const text = () =>
		`${label}: ${method} ?${query.slice(0, 500)} ${JSON.stringify(headers)} ${body?.length ?? 0} bytes: ${JSON.stringify(body?.toString('latin1').slice(0, 500) ?? '')} → ${answers.join(' or ')}`;
	return Object.defineProperty(delivery, fc.toStringMethod, { value: text, enumerable: false });
}

function delivery(
	proof: Proof,
	{ label, method, headers, body, query: more, refused }: Payload,
	extra: { headers: Record<string, string | string[]>; before: string; after: string },
	answers: readonly number[],
): HostileDelivery {
	return shown({
		label: `${proof.label}; ${label}`,
		method,
		query: [extra.before, proof.query, more, extra.after].filter(Boolean).join('&'),
		headers: { ...extra.headers, ...proof.headers, ...headers },
		body,
		answers: refused.length ? refused : answers,
		byN8n: refused.length > 0,
		signatures: proof.signatures,
	});
}

const extras = fc.record({ headers: oddHeaders, before: oddQuery, after: oddQuery });

const genuineProof = ({ apiKey }: Ground, values?: unknown): Proof => {
	const query = signedQuery(apiKey, values);
	return { label: 'signed', query, signatures: [query.slice(query.indexOf('sig=') + 4)] };
};

const genuine = (ground: Ground): Arbitrary<Proof> =>
	metadata.map((values) => genuineProof(ground, values));

/** Whoever sent it has no signature for it: 401, whatever it says and whichever task it names. */
export function unsignedDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(
		{ arbitrary: fc.constantFrom(...ground.ended), weight: 3 },
		{ arbitrary: fc.oneof(unknownIds, fc.constantFrom(...ground.foreign), oddIds), weight: 1 },
	);
	return fc
		.tuple(forgedProofs(ground), readable(ids, true), extras)
		.map(([proof, body, extra]) => delivery(proof, body, extra, [401]));
}

/** Genuine, and about a task that nobody has, or somebody else: 404. */
export function strangeTaskDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(
		unknownIds,
		fc.constantFrom(...ground.foreign),
		nearlyIds([...ground.ended, ...ground.foreign]),
	);
	return fc.tuple(genuine(ground), ids, reports, oddHeaders).map(([proof, id, told, headers]) =>
		shown({
			label: `signed; report (${told.shape}) of ${id}`,
			...reportOf(id, told, proof.query),
			headers: { ...headers, ...reportOf(id, told, '').headers },
			answers: [404],
			byN8n: false,
			signatures: proof.signatures,
		}),
	);
}

/** Genuine, and with anything in it but a task of the account: 400, or 404 where something in it could be an id. */
export function oddBodyDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	const ids = fc.oneof(oddIds, unknownIds, fc.constantFrom(...ground.foreign));
	return fc
		.tuple(genuine(ground), readable(ids, true), extras)
		.map(([proof, body, extra]) => delivery(proof, body, extra, [400, 404]));
}

/** Signed or not, n8n cannot read the body and answers by itself. */
export function unreadableDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	return fc
		.tuple(fc.oneof(genuine(ground), forgedProofs(ground)), unreadable, extras)
		.map(([proof, body, extra]) => delivery(proof, body, extra, []));
}

/** Larger than n8n takes, each with a genuine signature. */
export function tooLargeDeliveries(ground: Ground): HostileDelivery[] {
	const none = { headers: {}, before: '', after: '' };
	return TOO_LARGE.map((body) => delivery(genuineProof(ground), body, none, []));
}

/** Methods that a trigger has no URL for, signed and about an ended task. */
export function otherMethodDeliveries(ground: Ground): Arbitrary<HostileDelivery> {
	return fc
		.tuple(
			fc.constantFrom('PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
			genuine(ground),
			fc.constantFrom(...ground.ended),
			claims,
		)
		.map(([method, proof, id, told]) =>
			shown({
				label: method,
				...reportOf(id, told, proof.query),
				method,
				answers: method === 'OPTIONS' ? [204] : [404],
				byN8n: true,
				signatures: proof.signatures,
			}),
		);
}
