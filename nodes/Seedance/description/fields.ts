/** The fields that several operations share. Dropdowns are built from the lists the checks use. */
import type { INodeProperties, INodePropertyOptions, NodeHint } from 'n8n-workflow';

import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	RESOLUTIONS,
	type AspectRatio,
	type Resolution,
} from '../../shared/task/request';
import { POLL_INTERVAL_MAX_SECONDS } from '../../shared/api/polling';
import { costHints } from './costHints';
import { numberField, NUMBERS } from './numbers';

export type Operation = 'generateAndWait' | 'generate' | 'estimateCost' | 'status' | 'wait';

/** The operations as the editor lists them; also the node's subtitle and its actions. */
export const OPERATION_OPTIONS: INodePropertyOptions[] = [
	{
		name: 'Generate and Wait',
		value: 'generateAndWait',
		action: 'Generate video and wait',
		description: 'Generate a video and continue when it is ready, usually 1 to 2 minutes',
	},
	{
		name: 'Generate Without Waiting',
		value: 'generate',
		action: 'Generate video without waiting',
		description: 'Start a video and get its task ID at once',
	},
	{
		name: 'Get Cost Estimate',
		value: 'estimateCost',
		action: 'Get cost estimate',
		description: 'Calculate the credits without generating',
	},
	{
		name: 'Get Status',
		value: 'status',
		action: 'Get video status',
		description: 'Look once at a video that was started before',
	},
	{
		name: 'Wait for Video',
		value: 'wait',
		action: 'Wait for video',
		description: 'Wait for videos that were started before, without paying again',
	},
];

const showFor = (...operations: Operation[]) => ({
	show: { resource: ['video'], operation: operations },
});

/** The operations that start videos, and so cost credits. */
export const GENERATE: Operation[] = ['generateAndWait', 'generate'];
const DOWNLOADING: Operation[] = ['generateAndWait', 'wait', 'status'];

// Names of their own: n8n's lint reads a default only where it is a plain name or value.
const {
	aspectRatio: DEFAULT_ASPECT_RATIO,
	resolution: DEFAULT_RESOLUTION,
	duration: DEFAULT_DURATION,
} = DEFAULTS;

/** Seconds, as a number: one that is mapped from a sheet is then one of the choices. */
const DEFAULT_SECONDS = Number(DEFAULT_DURATION);

const ASPECT_RATIO_LABELS: Readonly<Record<AspectRatio, string>> = {
	'9:16': '9:16 (Vertical: TikTok, Reels, Shorts)',
	'16:9': '16:9 (Landscape: YouTube)',
	'1:1': '1:1 (Square)',
	'3:4': '3:4 (Portrait)',
	'4:3': '4:3',
	'21:9': '21:9 (Wide)',
	'9:21': '9:21 (Tall)',
};

const RESOLUTION_LABELS: Readonly<Record<Resolution, string>> = {
	'720p': '720p',
	'480p': '480p (Draft, Cheaper)',
};

const requestFields: INodeProperties[] = [
	{
		displayName: 'Prompt',
		name: 'prompt',
		type: 'string',
		typeOptions: { rows: 4 },
		required: true,
		default: '',
		placeholder: 'e.g. A lighthouse at dusk, waves rolling in, slow camera move',
		description: 'What the video shows, in words. At most 2000 characters.',
		displayOptions: showFor(...GENERATE),
	},
	{
		displayName: 'Image',
		name: 'imageSource',
		type: 'options',
		options: [
			{ name: 'None', value: 'none', description: 'The video is made from the prompt alone' },
			{
				name: 'From URL',
				value: 'url',
				description: 'The API fetches the image from a public link',
			},
			{
				name: 'From Input File',
				value: 'binary',
				description: 'The API fetches a file of the input item from this n8n, which must be public',
			},
		],
		default: 'none',
		description: 'The image that the video starts from',
		displayOptions: showFor(...GENERATE),
	},
	{
		displayName: 'Image URL',
		name: 'imageUrl',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. https://example.com/my-image.jpg',
		description: 'A public link to the image itself, not to a page that shows it',
		displayOptions: {
			show: { resource: ['video'], operation: GENERATE, imageSource: ['url'] },
		},
	},
	{
		displayName: 'Input Data Field Name',
		name: 'imageBinaryField',
		type: 'string',
		required: true,
		default: 'data',
		hint: 'The name of the input field that holds the image file',
		description: 'The name of the binary field of the input item that holds the image',
		displayOptions: {
			show: { resource: ['video'], operation: GENERATE, imageSource: ['binary'] },
		},
	},
	{
		displayName: 'Aspect Ratio',
		name: 'aspectRatio',
		type: 'options',
		options: ASPECT_RATIOS.map((value) => ({ name: ASPECT_RATIO_LABELS[value], value })),
		default: DEFAULT_ASPECT_RATIO,
		description: 'The shape of the video, width to height',
		displayOptions: showFor(...GENERATE),
	},
];

const priceFields: INodeProperties[] = [
	{
		displayName: 'Resolution',
		name: 'resolution',
		type: 'options',
		options: RESOLUTIONS.map((value) => ({ name: RESOLUTION_LABELS[value], value })),
		default: DEFAULT_RESOLUTION,
		description: 'How sharp the video is. 480p costs about half and suits drafts.',
		displayOptions: showFor(...GENERATE, 'estimateCost'),
	},
	{
		displayName: 'Duration',
		name: 'duration',
		type: 'options',
		options: DURATIONS.map((value) => ({ name: `${value} Seconds`, value: Number(value) })),
		default: DEFAULT_SECONDS,
		description: 'How long the video is',
		displayOptions: showFor(...GENERATE, 'estimateCost'),
	},
	{
		displayName: 'Generate Audio',
		name: 'generateAudio',
		type: 'boolean',
		default: false,
		hint: 'Costs about twice the credits',
		description: 'Whether to generate an audio track',
		displayOptions: showFor(...GENERATE, 'estimateCost'),
	},
	{
		displayName: 'Fixed Lens',
		name: 'fixedLens',
		type: 'boolean',
		default: false,
		description: 'Whether to hold the camera still, which reduces motion blur',
		displayOptions: showFor(...GENERATE),
	},
];

const taskFields: INodeProperties[] = [
	{
		displayName: 'Task ID',
		name: 'taskId',
		type: 'string',
		required: true,
		default: '={{ $json.task_id }}',
		placeholder: 'e.g. seed15abc123def456pro',
		description: 'The task_id of a video that was started before. One ID per item.',
		displayOptions: showFor('status', 'wait'),
	},
];

const callbackFields: INodeProperties[] = [
	{
		displayName: 'Callback URL',
		name: 'callbackUrl',
		type: 'string',
		default: '',
		placeholder: 'e.g. https://example.com/webhook/…/webhook',
		hint: 'Paste the Production URL of a Seedance Trigger',
		description:
			'Where the API reports that the video is ready. Leave it empty to check yourself, with Get Status or Wait for Video. The node signs the URL, so that the trigger starts for your own videos only.',
		displayOptions: showFor('generate'),
	},
	{
		displayName: 'Callback Metadata',
		name: 'callbackMetadata',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add Metadata',
		default: {},
		description:
			'Small values that the Seedance Trigger outputs together with the video, such as a row number. They travel in the URL: no secrets, at most 1000 bytes.',
		options: [
			{
				displayName: 'Metadata',
				name: 'values',
				values: [
					{
						displayName: 'Name',
						name: 'name',
						type: 'string',
						default: '',
						placeholder: 'e.g. row_number',
						description: 'The name of the value in the output of the trigger',
					},
					{
						displayName: 'Value',
						name: 'value',
						type: 'string',
						default: '',
						placeholder: 'e.g. {{ $json.row_number }}',
						description: 'The value. A number or a list from an expression stays one.',
					},
				],
			},
		],
		displayOptions: showFor('generate'),
	},
];

const downloadVideo: INodeProperties = {
	displayName: 'Download Video',
	name: 'downloadVideo',
	type: 'boolean',
	default: true,
	description:
		'Whether to add the video as a file to the item, for the next nodes to post or store',
};

const waitFields: INodeProperties[] = [
	{
		displayName: 'Wait Method',
		name: 'waitMethod',
		type: 'options',
		options: [
			{
				name: 'Keep Checking',
				value: 'poll',
				description: 'Check the videos until they are ready. Works in every n8n.',
			},
			{
				name: 'Pause Until Callback',
				value: 'callback',
				description:
					'Pause the execution until the API reports the videos. It uses no resources while paused and survives a restart. Needs an n8n that the API can reach.',
			},
		],
		default: 'poll',
		description: 'How to wait for the videos',
		displayOptions: showFor('generateAndWait'),
	},
	{
		displayName:
			'When the time is up, the items go on with status IN_PROGRESS. Let a Seedance node with Wait for Video follow: it finishes them, and downloads the videos.',
		name: 'pauseNotice',
		type: 'notice',
		default: '',
		displayOptions: {
			show: { resource: ['video'], operation: ['generateAndWait'], waitMethod: ['callback'] },
		},
	},
];

const outputFields: INodeProperties[] = [
	{
		...downloadVideo,
		displayOptions: {
			show: { resource: ['video'], operation: ['generateAndWait'], waitMethod: ['poll'] },
		},
	},
	{ ...downloadVideo, displayOptions: showFor('wait') },
	{ ...downloadVideo, default: false, displayOptions: showFor('status') },
	{
		displayName: 'Output Data Field Name',
		name: 'outputBinaryField',
		type: 'string',
		required: true,
		default: 'data',
		hint: 'The name of the output field to put the video file in',
		description: 'The name of the binary field that holds the video',
		displayOptions: {
			show: { resource: ['video'], operation: DOWNLOADING, downloadVideo: [true] },
			hide: { waitMethod: ['callback'] },
		},
	},
	{
		displayName: 'Simplify',
		name: 'simplify',
		type: 'boolean',
		default: true,
		description: 'Whether to return a simplified version of the response instead of the raw data',
		displayOptions: showFor(...GENERATE, 'status', 'wait'),
	},
];

const batching: INodeProperties = {
	displayName: 'Batching',
	name: 'batching',
	placeholder: 'Add Batching',
	type: 'fixedCollection',
	typeOptions: { multipleValues: false },
	default: { batch: {} },
	description: 'Start the videos in groups, with a pause between them',
	options: [
		{
			displayName: 'Batching',
			name: 'batch',
			values: [
				{
					...numberField('batchSize'),
					description: 'How many videos to start before pausing. Use -1 for no batches.',
				},
				{
					...numberField('batchInterval'),
					description: 'Milliseconds between two groups',
				},
			],
		},
	],
};

const maxCredits: INodeProperties = {
	...numberField('maxCredits'),
	description: 'Start nothing when all items together would cost more. Read from the first item.',
};

const pollInterval: INodeProperties = {
	...numberField('pollInterval'),
	description: `How often to check, in seconds. Slows down to every ${POLL_INTERVAL_MAX_SECONDS} seconds for long waits, and is never more often than this.`,
};

const timeout: INodeProperties = {
	...numberField('timeout'),
	description: 'How long to wait for the videos. They go on being made afterwards.',
};

const includeInput: INodeProperties = {
	displayName: 'Include Other Input Fields',
	name: 'includeInput',
	type: 'boolean',
	default: false,
	description: "Whether to add the input's fields to the output. Seedance fields win, e.g. status.",
};

const optionsOf = (operation: Operation, options: INodeProperties[]): INodeProperties => ({
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	placeholder: 'Add option',
	default: {},
	options,
	displayOptions: showFor(operation),
});

const optionFields: INodeProperties[] = [
	optionsOf('generateAndWait', [batching, pollInterval, includeInput, maxCredits, timeout]),
	optionsOf('generate', [batching, includeInput, maxCredits]),
	optionsOf('status', [includeInput]),
	optionsOf('wait', [pollInterval, includeInput, timeout]),
];

/** Every field below the operation, in the order people think. */
export const videoFields: INodeProperties[] = [
	...taskFields,
	...requestFields,
	...priceFields,
	...callbackFields,
	...waitFields,
	...outputFields,
	...optionFields,
];

/** The labels of all fields, by the path of their parameter. */
const LABELS: ReadonlyMap<string, string> = new Map([
	...videoFields.map(({ name, displayName }) => [name, displayName] as const),
	...[batching, pollInterval, includeInput, maxCredits, timeout].map(
		({ name, displayName }) => [`options.${name}`, displayName] as const,
	),
	...Object.values(NUMBERS).map(({ path, label }) => [path, label] as const),
]);

/** What a person calls a parameter: the label of its field. `path` is its name, or its path within the Options. */
export function labelOf(path: string): string {
	return LABELS.get(path) ?? path;
}

/** Shown above the output before the node runs. */
export const nodeHints: NodeHint[] = [
	...costHints([...GENERATE, 'estimateCost']),
	{
		message:
			'The Callback URL is a test URL: it works for two minutes only, while its trigger listens. Use its Production URL.',
		displayCondition:
			'={{ $parameter["operation"] === "generate" && String($rawParameter["callbackUrl"]).includes("/webhook-test/") }}',
		whenToDisplay: 'beforeExecution',
		type: 'warning',
		location: 'outputPane',
	},
];
