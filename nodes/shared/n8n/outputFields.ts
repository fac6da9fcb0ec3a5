/** The fields of both nodes that decide about their output. */
import type { INodeProperties } from 'n8n-workflow';

export const downloadVideo: INodeProperties = {
	displayName: 'Download Video',
	name: 'downloadVideo',
	type: 'boolean',
	default: true,
	description:
		'Whether to add the video as a file to the item, for the next nodes to post or store',
};

export const outputBinaryField: INodeProperties = {
	displayName: 'Output Data Field Name',
	name: 'outputBinaryField',
	type: 'string',
	required: true,
	default: 'data',
	hint: 'The name of the output field to put the video file in',
	description: 'The name of the binary field that holds the video',
};

export const simplify: INodeProperties = {
	displayName: 'Simplify',
	name: 'simplify',
	type: 'boolean',
	default: true,
	description: 'Whether to return a simplified version of the response instead of the raw data',
};

/** Whether the list of videos is kept. */
export const keepVideoList: INodeProperties = {
	displayName: 'Keep Video List',
	name: 'videoList',
	type: 'boolean',
	default: true,
	description:
		'Whether to keep the Data Table Seedance Videos, so that a stopped or crashed run is not paid for twice',
};
