/**
 * The fields of the editor, in the groups that operations use; modelFields.ts has those that depend
 * on the model. Each operation lists the fields that it shows (`operations/`); further conditions
 * stand here.
 */
import type { INodeProperties } from 'n8n-workflow';

import { MODELS, PROMPT_MAX_LENGTH } from '../../shared/task/models';
import {
	aspectRatioFields,
	durationFields,
	fixedLensField,
	generateAudioField,
	modelField,
	publicField,
	referenceVideosField,
	resolutionFields,
} from './modelFields';

const MOST_IMAGES = Math.max(...MODELS.map(({ maxImages }) => maxImages));
const SEVERAL = `The models of Seedance 2 take up to ${MOST_IMAGES}, separated by commas`;

/** What makes the video, and what it shows. */
export const requestFields: INodeProperties[] = [
	modelField,
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
		description: `A public link to the image itself, not to a page that shows it. ${SEVERAL}.`,
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
		description: `The name of the binary field of the input item that holds the image. ${SEVERAL}.`,
		displayOptions: {
			show: { imageSource: ['binary'] },
		},
	},
	...aspectRatioFields,
];

/** The settings that decide the price. */
export const priceFields: INodeProperties[] = [
	...resolutionFields,
	...durationFields,
	generateAudioField,
	referenceVideosField,
];

/** How the video is made and shown, which costs nothing. */
export const freeFields: INodeProperties[] = [fixedLensField, publicField];

/** The field of operations that read existing videos. */
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
