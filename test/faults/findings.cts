// What use has shown (`findings.test.cts`): the small input of each finding that this suite can see, and members of its kind,
// as one schedule each. `bites.test.cts` plays them with a node that still has the fault.
import { PLAIN, type Fate, type ItemPlan, type Name, type Schedule } from './schedule.cjs';

const item = (name: Name, more: Partial<ItemPlan> = {}): ItemPlan => ({
	name,
	isWrong: false,
	task: 'own',
	...more,
});
const THREE = [item('apple'), item('birch'), item('cedar')];
const SIX = [...THREE, item('daisy'), item('ember'), item('ferns')];
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const fates = (fate: Partial<Fate>, of: readonly Name[] = ['apple']) => ({
	...PLAIN.fates,
	...Object.fromEntries(of.map((name) => [name, { ...PLAIN.fates[name], ...fate }])),
});
const RETRY = [{ heals: true }];
const fault = (
	route: 'generate' | 'status' | 'video',
	kind: Schedule['faults'][number]['fault'],
	times: number | 'always' = 1,
): Schedule['faults'][number] => ({ route, name: 'apple', fault: kind, times });

/** By the number of the finding; 0 for a rule of the design that has none. */
export const FINDINGS: Array<[number, string, Partial<Schedule>]> = [
	[
		1,
		'a prompt that comes out differently, and the answer to its POST is lost',
		{
			changingPrompt: true,
			retryOnFail: true,
			faults: [fault('generate', { kind: 'accept-then-reset' })],
		},
	],
	[
		1,
		'prompts that come out differently when a person retries what failed',
		{
			changingPrompt: true,
			items: THREE,
			fates: fates({ ends: 'failed' }, ['birch']),
			retries: RETRY,
		},
	],
	[
		1,
		'prompts that come out differently, with a pause and a retry',
		{
			operation: 'pause',
			changingPrompt: true,
			items: THREE,
			retryOnFail: true,
			fates: fates({ ends: 'failed' }, ['birch']),
			retries: RETRY,
		},
	],
	[
		3,
		'two reads a second, without Retry-After',
		{ operation: 'wait', items: SIX, limits: [{ route: 'status', perSecond: 2 }] },
	],
	[
		3,
		'one read a second, with Retry-After',
		{ items: SIX, limits: [{ route: 'status', perSecond: 1, retryAfter: 'exact' }] },
	],
	[
		3,
		'one read a second, with Retry-After as a date',
		{
			items: SIX,
			...CONTINUE,
			limits: [{ route: 'status', perSecond: 1, retryAfter: 2, as: 'date' }],
		},
	],
	[3, 'ten reads a minute', { items: THREE, limits: [{ route: 'status', perMinute: 10 }] }],
	[
		3,
		'one read a minute, and one minute',
		{
			...CONTINUE,
			timeout: 1,
			fates: fates({ ends: 'never' }),
			limits: [{ route: 'status', perMinute: 1 }],
		},
	],
	[4, 'a task that is not known at its first reading', { fates: fates({ unknownSeconds: 6 }) }],
	[
		4,
		'a task that is not known for most of a minute',
		{ ...CONTINUE, items: THREE, fates: fates({ unknownSeconds: 50 }) },
	],
	[
		4,
		'a task that is not known when its pause begins',
		{ operation: 'pause', fates: fates({ unknownSeconds: 6 }) },
	],
	[
		4,
		'a 404 for good of a task that this run has not made',
		{ operation: 'wait', items: [item('apple', { task: 'unknown' })], ...CONTINUE },
	],
	[
		5,
		'a link that lives for a while, and another row that takes long',
		{
			items: THREE,
			download: true,
			timeout: 5,
			fates: { ...fates({ link: 'brief' }), cedar: { ends: 'ready', seconds: 150 } },
		},
	],
	[5, 'a link that is refused once', { download: true, fates: fates({ link: 'refusedOnce' }) }],
	[
		5,
		'a link that is refused once, of a task that is looked at once',
		{ operation: 'status', download: true, fates: fates({ link: 'refusedOnce', seconds: 0 }) },
	],
	[6, 'a success before its URL', { fates: fates({ urlLateSeconds: 12 }) }],
	[
		6,
		'a success before its URL, for most of the grace',
		{ ...CONTINUE, items: THREE, fates: fates({ urlLateSeconds: 25 }, ['apple', 'cedar']) },
	],
	[
		6,
		'a success before its URL, told by a callback',
		{ operation: 'pause', fates: fates({ urlLateSeconds: 12 }) },
	],
	[
		6,
		'a success without a video, told by a callback',
		{ operation: 'pause', ...CONTINUE, fates: fates({ ends: 'noVideo' }) },
	],
	[
		6,
		'a success without a video, seen right before the pause',
		{ operation: 'pause', ...CONTINUE, fates: fates({ ends: 'noVideo', seconds: 0 }) },
	],
	[
		7,
		'status that hangs, and a workflow that has 15 seconds',
		{
			...CONTINUE,
			executionTimeout: 15,
			faults: [fault('status', { kind: 'hang' }, 'always')],
		},
	],
	[
		7,
		'a POST that hangs, and a workflow that has 60 seconds',
		{
			...CONTINUE,
			items: THREE,
			executionTimeout: 60,
			faults: [fault('generate', { kind: 'accept-then-hang' }, 'always')],
		},
	],
	[
		7,
		'a download that hangs, and a workflow that has 60 seconds',
		{
			...CONTINUE,
			download: true,
			executionTimeout: 60,
			faults: [fault('video', { kind: 'hang' }, 'always')],
		},
	],
	[
		7,
		'status that hangs, and half a minute of Timeout',
		{
			...CONTINUE,
			timeout: 0.5,
			items: THREE,
			faults: [fault('status', { kind: 'hang' }, 'always')],
		},
	],
	[
		8,
		'status that drips',
		{
			...CONTINUE,
			items: THREE,
			faults: [fault('status', { kind: 'drip', everyMs: 20 }, 'always')],
		},
	],
	[
		8,
		'a POST that drips',
		{ ...CONTINUE, faults: [fault('generate', { kind: 'drip', everyMs: 20 }, 'always')] },
	],
	[
		8,
		'a video that drips',
		{
			...CONTINUE,
			download: true,
			executionTimeout: 60,
			faults: [fault('video', { kind: 'drip', everyMs: 20 }, 'always')],
		},
	],
	...(
		[
			'https-to-http',
			'refused',
			'silent-tls',
			'closing-tls',
			'unknown-host',
			'bad-port',
			'no-url',
		] as const
	).map((unreachable): [number, string, Partial<Schedule>] => [
		9,
		`a base URL that never takes a request (${unreachable}), corrected before Retry`,
		{ unreachable, items: THREE, retries: RETRY },
	]),
	[
		10,
		'one account that is empty',
		{
			...CONTINUE,
			otherAffordable: 0,
			items: [item('apple', { account: 'other' }), item('birch'), item('cedar')],
		},
	],
	[
		10,
		'one account whose key is refused',
		{
			onError: 'continueErrorOutput',
			items: [
				item('apple', { account: 'other' }),
				item('birch'),
				item('cedar', { account: 'other' }),
			],
			faults: [fault('generate', { kind: 'error', code: 'INVALID_API_KEY' }, 'always')],
		},
	],
	[
		10,
		'one account that may send nothing for now',
		{
			...CONTINUE,
			items: [
				item('apple', { account: 'other' }),
				item('birch'),
				item('cedar', { account: 'other' }),
			],
			limits: [{ route: 'generate', perSecond: 0, account: 'other' }],
		},
	],
	[13, 'the address that resumes a pause', { operation: 'pause', lateCallback: true }],
	[
		20,
		'a pause whose key comes from the row',
		{ operation: 'pause', items: [item('apple', { account: 'other' })] },
	],
	...(['gzip', 'br', 'deflate'] as const).map((encoding): [number, string, Partial<Schedule>] => [
		21,
		`a video that is packed with ${encoding} on its way`,
		{ download: true, faults: [fault('video', { kind: 'encoded', encoding }, 'always')] },
	]),
	...(['html', 'json', 'text', 'png'] as const).map((body): [number, string, Partial<Schedule>] => [
		22,
		`${body} as video/mp4`,
		{
			...CONTINUE,
			download: true,
			faults: [fault('video', { kind: 'video-body', body }, 'always')],
		},
	]),
	[
		22,
		'a WebM as video/mp4',
		{ download: true, faults: [fault('video', { kind: 'video-body', body: 'webm' }, 'always')] },
	],
	[
		22,
		'half of a video, with 206',
		{ ...CONTINUE, download: true, faults: [fault('video', { kind: 'partial' }, 'always')] },
	],
	...(['application/octet-stream', 'text/html'] as const).map(
		(value): [number, string, Partial<Schedule>] => [
			22,
			`a video as ${value}`,
			{ download: true, faults: [fault('video', { kind: 'content-type', value }, 'always')] },
		],
	),
	[
		22,
		'a video without a type',
		{ download: true, faults: [fault('video', { kind: 'no-content-type' }, 'always')] },
	],
	...(
		['objects with a url', 'a video_url beside the response', 'an object with a video_url'] as const
	).flatMap(
		(form): Array<[number, string, Partial<Schedule>]> => [
			[31, `a video told as ${form}, with a word of its own`, { fates: fates({ form }) }],
			[
				30,
				`a failure told beside ${form}`,
				{ ...CONTINUE, fates: fates({ form, ends: 'failed' }) },
			],
			[
				30,
				`a failure told beside ${form}, by a callback`,
				{ operation: 'pause', ...CONTINUE, fates: fates({ form, ends: 'failed' }) },
			],
		],
	),
	...(
		[
			'id as taskId',
			'id as id',
			'id as a large number',
			'id with spaces and a slash',
			'id with letters of the world',
			'id with braces',
		] as const
	).flatMap(
		(form): Array<[number, string, Partial<Schedule>]> => [
			[33, `an ${form}`, { fates: fates({ form }), simplify: false }],
			[
				33,
				`an ${form}, given to Wait for Video`,
				{ operation: 'wait', fates: fates({ form }), simplify: false },
			],
		],
	),
	[
		33,
		'a failure that the POST tells at once',
		{ operation: 'generate', fates: fates({ form: 'told at once', ends: 'failed', seconds: 0 }) },
	],
	[
		7,
		'reads that fail before a pause, and a workflow that has 15 seconds',
		{
			operation: 'pause',
			...CONTINUE,
			executionTimeout: 15,
			faults: [fault('status', { kind: 'server-error' }, 'always')],
		},
	],
	[
		7,
		'reads that fail, of a task that is looked at once, and a workflow that has 15 seconds',
		{
			operation: 'status',
			...CONTINUE,
			executionTimeout: 15,
			faults: [fault('status', { kind: 'server-error' }, 'always')],
		},
	],
	[
		36,
		'429 on every POST',
		{
			...CONTINUE,
			items: SIX,
			limits: [{ route: 'generate', perSecond: 0 }],
		},
	],
	[
		36,
		'429 on every POST, and a workflow that has 60 seconds',
		{
			...CONTINUE,
			items: SIX,
			executionTimeout: 60,
			limits: [{ route: 'generate', perSecond: 0, retryAfter: 20 }],
		},
	],
	[
		36,
		'429 on every POST, asking for more than a minute',
		{
			...CONTINUE,
			items: THREE,
			limits: [{ route: 'generate', perSecond: 0, retryAfter: 61 }],
		},
	],
	[
		36,
		'one POST a second',
		{ items: SIX, limits: [{ route: 'generate', perSecond: 1, retryAfter: 'exact' }] },
	],
	...(['empty-task-id', 'no-task-id'] as const).flatMap(
		(shape): Array<[number, string, Partial<Schedule>]> =>
			(['status', 'wait', 'poll'] as const).map((operation) => [
				40,
				`an answer of the shape ${shape}, Simplify off, ${operation}`,
				{
					operation,
					simplify: false,
					fates: fates({ seconds: 0 }),
					faults: [fault('status', { kind: 'wrong-shape', shape }, 'always')],
				},
			]),
	),
	[
		0,
		'an API that is down for minutes',
		{
			...CONTINUE,
			timeout: 15,
			items: THREE,
			faults: [{ ...fault('status', { kind: 'server-error' }, 40), name: null }],
		},
	],
];
