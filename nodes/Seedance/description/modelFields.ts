/**
 * The model, and the fields that depend on it. A field whose values differ between models stands
 * here once for each model, under one name, and once for a model from an expression: n8n then
 * offers the values of the chosen model, and resets a value that this model does not have
 * (docs/n8n-behaviour.md#fields-that-depend-on-another).
 */
import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import {
	DEFAULT_ASPECT_RATIO,
	DEFAULT_MODEL,
	DEFAULT_RESOLUTION,
	MODELS,
	pricesOf,
	usualTimeOf,
	type Model,
	type SwitchName,
} from '../../shared/task/models';
import { LIST_NAME } from '../../shared/task/errors';

// Constants, because n8n's lint rules follow no expression (docs/n8n-behaviour.md#plain-values).
const { value: DEFAULT_VALUE, defaultDuration: DEFAULT_DURATION } = DEFAULT_MODEL;

/** What a video of a model costs, and how long it takes. */
export function costAndTimeOf(model: Model): string {
	const prices = pricesOf(model);
	return `${prices[0]} to ${prices[prices.length - 1]} credits, usually ${usualTimeOf(model)}`;
}

/** The description of the node as a tool, for an AI model. */
export const TOOL_DESCRIPTION = `Generates AI videos from text or images with the Seedance API. A new video costs credits and takes minutes, by its model: ${MODELS.map(
	(model) => `${model.value}: ${costAndTimeOf(model)}`,
).join(
	'; ',
)}. Answers with JSON: video_url is the link to the video, and a next_step says what to do instead of generating again.`;

const USUAL_TIMES = JSON.stringify(
	Object.fromEntries(MODELS.map((model) => [model.value, `, usually ${usualTimeOf(model)}`])),
);

/**
 * The tooltip of a paused node on the canvas: how long it usually takes, and where the task IDs
 * are.
 */
export const WAITING_TOOLTIP = `={{ "Paused until the last video is ready" + (${USUAL_TIMES}[$rawParameter["model"]] ?? "") + "." + ($rawParameter["options"]?.videoList === false ? "" : " The task IDs are in the Data Table ${LIST_NAME} (Overview → Data tables).") }}`;

export const modelField: INodeProperties = {
	displayName: 'Model',
	name: 'model',
	type: 'options',
	options: MODELS.map((model) => ({
		name: model.label,
		value: model.value,
		description: costAndTimeOf(model),
	})),
	default: DEFAULT_VALUE,
	description: 'What makes the video. It decides the other settings, the price and the time.',
};

/** Hidden for any other model, and for one from an expression. */
const onlyFor = ({ value }: Model) => [{ _cnd: { not: value } }];
const hiddenFor = (models: readonly Model[]) => models.map(({ value }) => value);

/** A choice from a list that differs between models. */
interface Choice {
	valuesOf: (model: Model) => ReadonlyArray<string | number>;
	usualOf: (model: Model) => string | number;
	nameOf: (value: string | number) => string;
	/** Whether the field is there for a video from an image. */
	isShownWithImage?: (model: Model) => boolean;
}

/** One field for each model, and one for a model from an expression. */
function eachModel(
	field: INodeProperties,
	{ valuesOf, usualOf, nameOf, isShownWithImage = () => true }: Choice,
): INodeProperties[] {
	const options = (values: ReadonlyArray<string | number>): INodePropertyOptions[] =>
		values.map((value) => ({ name: nameOf(value), value }));
	const having = MODELS.filter((model) => valuesOf(model).length > 0);
	const all = [...new Set(having.flatMap((model) => [...valuesOf(model)]))];
	const numbers = all.filter((value) => typeof value === 'number').sort((a, b) => a - b);
	return [
		...having.map((model) => ({
			...field,
			options: options(valuesOf(model)),
			default: usualOf(model),
			displayOptions: {
				hide: {
					model: onlyFor(model),
					...(!isShownWithImage(model) && { imageSource: ['url', 'binary'] }),
				},
			},
		})),
		{
			...field,
			options: options(numbers.length ? numbers : all),
			displayOptions: { hide: { model: hiddenFor(MODELS) } },
		},
	];
}

const ASPECT_RATIO_NAMES: Readonly<Record<string, string>> = {
	'9:16': '9:16 (Vertical: TikTok, Reels, Shorts)',
	'16:9': '16:9 (Landscape: YouTube)',
	'1:1': '1:1 (Square)',
	'3:4': '3:4 (Portrait)',
	'21:9': '21:9 (Wide)',
	'9:21': '9:21 (Tall)',
};

export const aspectRatioFields = eachModel(
	{
		displayName: 'Aspect Ratio',
		name: 'aspectRatio',
		type: 'options',
		default: DEFAULT_ASPECT_RATIO,
		description:
			'The shape of the video, width to height. The models of Seedance 2 take that of the image, where there is one.',
	},
	{
		valuesOf: ({ aspectRatios }) => aspectRatios,
		usualOf: () => DEFAULT_ASPECT_RATIO,
		nameOf: (value) => ASPECT_RATIO_NAMES[value] ?? String(value),
		isShownWithImage: ({ hasRatioWithImage }) => hasRatioWithImage,
	},
);

const RESOLUTION_NAMES: Readonly<Record<string, string>> = { '480p': '480p (Draft, Cheaper)' };

export const resolutionFields = eachModel(
	{
		displayName: 'Resolution',
		name: 'resolution',
		type: 'options',
		default: DEFAULT_RESOLUTION,
		description: 'How sharp the video is. 480p costs about half and suits drafts.',
	},
	{
		valuesOf: ({ resolutions }) => resolutions,
		usualOf: () => DEFAULT_RESOLUTION,
		nameOf: (value) => RESOLUTION_NAMES[value] ?? String(value),
	},
);

export const durationFields = eachModel(
	{
		displayName: 'Duration',
		name: 'duration',
		type: 'options',
		default: DEFAULT_DURATION,
		description: 'How long the video is',
	},
	{
		// As numbers, so that a number from a sheet is one of the choices.
		valuesOf: ({ durations }) => durations,
		usualOf: ({ defaultDuration }) => defaultDuration,
		nameOf: (value) => `${value} Seconds`,
	},
);

/** Hides a field for the models that do not take it. */
const where = (takes: (model: Model) => boolean) => ({
	hide: { model: hiddenFor(MODELS.filter((model) => !takes(model))) },
});
const whereSwitch = (name: SwitchName) => where(({ switches }) => switches.includes(name));

export const generateAudioField: INodeProperties = {
	displayName: 'Generate Audio',
	name: 'generateAudio',
	type: 'boolean',
	default: false,
	hint: 'Costs about twice the credits',
	description: 'Whether to generate an audio track',
	displayOptions: whereSwitch('generateAudio'),
};

/** How the camera moves, which costs nothing. */
export const fixedLensField: INodeProperties = {
	displayName: 'Fixed Lens',
	name: 'fixedLens',
	type: 'boolean',
	default: false,
	description: 'Whether to hold the camera still, which reduces motion blur',
	displayOptions: whereSwitch('fixedLens'),
};

export const publicField: INodeProperties = {
	displayName: 'Public',
	name: 'public',
	type: 'boolean',
	default: false,
	description: 'Whether Seedance may show the video in its public gallery',
	displayOptions: whereSwitch('public'),
};

const MOST_REFERENCES = Math.max(...MODELS.map(({ maxReferenceVideos }) => maxReferenceVideos));

export const referenceVideosField: INodeProperties = {
	displayName: 'Reference Videos',
	name: 'referenceVideos',
	type: 'string',
	default: '',
	placeholder: 'e.g. https://example.com/my-clip.mp4',
	hint: 'A second costs less with them',
	description: `Public links to videos that the new one follows, separated by commas: at most ${MOST_REFERENCES}, of 2 to 15 seconds each`,
	displayOptions: where(({ maxReferenceVideos }) => maxReferenceVideos > 0),
};
