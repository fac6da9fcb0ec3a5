/**
 * What the editor asks for, in groups as the operations take them. Dropdowns are built from the
 * lists the checks use. Which operation shows a field is said by the operation (`operations/`), any
 * further condition stands here.
 */
import type { INodeProperties } from 'n8n-workflow';

import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
	type AspectRatio,
	type Resolution,
} from '../../shared/task/models';

// Names of their own (docs/n8n-behaviour.md#plain-values).
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

/** What the video shows. */
export const requestFields: INodeProperties[] = [
	{
		displayName: 'Prompt',
		name: 'prompt',
		type: 'string',
		typeOptions: { rows: 4 },
		required: true,
		default: '',
		placeholder: 'e.g. A lighthouse at dusk, waves rolling in, slow camera move',
		description: `What the video shows, in words. At most ${PROMPT_MAX_LENGTH} characters.`,
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
			show: { imageSource: ['url'] },
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
			show: { imageSource: ['binary'] },
		},
	},
	{
		displayName: 'Aspect Ratio',
		name: 'aspectRatio',
		type: 'options',
		options: ASPECT_RATIOS.map((value) => ({ name: ASPECT_RATIO_LABELS[value], value })),
		default: DEFAULT_ASPECT_RATIO,
		description: 'The shape of the video, width to height',
	},
];

/** The settings that decide the price. */
export const priceFields: INodeProperties[] = [
	{
		displayName: 'Resolution',
		name: 'resolution',
		type: 'options',
		options: RESOLUTIONS.map((value) => ({ name: RESOLUTION_LABELS[value], value })),
		default: DEFAULT_RESOLUTION,
		description: 'How sharp the video is. 480p costs about half and suits drafts.',
	},
	{
		displayName: 'Duration',
		name: 'duration',
		type: 'options',
		options: DURATIONS.map((value) => ({ name: `${value} Seconds`, value: Number(value) })),
		default: DEFAULT_SECONDS,
		description: 'How long the video is',
	},
	{
		displayName: 'Generate Audio',
		name: 'generateAudio',
		type: 'boolean',
		default: false,
		hint: 'Costs about twice the credits',
		description: 'Whether to generate an audio track',
	},
];

/** How the camera moves, which costs nothing. */
export const cameraFields: INodeProperties[] = [
	{
		displayName: 'Fixed Lens',
		name: 'fixedLens',
		type: 'boolean',
		default: false,
		description: 'Whether to hold the camera still, which reduces motion blur',
	},
];

/** The field of operations that read videos which exist. */
export const taskFields: INodeProperties[] = [
	{
		displayName: 'Task ID',
		name: 'taskId',
		type: 'string',
		required: true,
		default: '={{ $json.task_id }}',
		placeholder: 'e.g. seed15abc123def456pro',
		description: 'The task_id of a video that was started before. One ID per item.',
	},
];

/** Where the end of a video is reported, for operations that do not wait. */
export const callbackFields: INodeProperties[] = [
	{
		displayName: 'Callback URL',
		name: 'callbackUrl',
		type: 'string',
		default: '',
		placeholder: 'e.g. https://example.com/webhook/…/webhook',
		hint: 'Paste the Production URL of a Seedance Trigger',
		description:
			'Where the API reports that the video is ready. Leave it empty to check yourself, with Get Status or Wait for Video. The node signs the URL, so that the trigger starts for your own videos only.',
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
	},
];
